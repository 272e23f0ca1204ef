# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "cohere==7.3.1",
# ]
# ///
"""Cohere's client of both generations: rerank."""

from __future__ import annotations

import os

import cohere

where = {"api_key": os.environ["OPENAI_API_KEY"], "base_url": os.environ["GATEWAY_URL"]}
documents = ["a blue boat", "the red car"]
second = cohere.ClientV2(**where).rerank(model="overlap", query="red car", documents=documents, max_tokens_per_doc=4096)
assert [result.index for result in second.results] == [1, 0]
asked = {"model": "overlap", "query": "red car", "return_documents": True, "rank_fields": ["text"]}
first = cohere.Client(**where).rerank(documents=[{"text": text} for text in documents], **asked)
assert first.results[0].document.text == "the red car"
