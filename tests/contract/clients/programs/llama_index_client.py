# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "llama-index-core==0.14.25",
#   "llama-index-llms-openai-like==0.8.1",
#   "llama-index-embeddings-openai-like==0.4.0",
# ]
# ///
"""LlamaIndex: `OpenAILike` with its defaults, which asks /v1/completions, as a chat model, and embeddings."""

from __future__ import annotations

import os

from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

ASKED, TOLD = "What is the capital of France?", "The capital of France is Paris, on the Seine."
where = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"], "max_retries": 0}
default = OpenAILike(model="talker", **where)
assert default.complete(ASKED).text == TOLD
assert "".join(part.delta for part in default.stream_complete(ASKED)) == TOLD
chatting = OpenAILike(model="talker", is_chat_model=True, **where)
assert chatting.chat([ChatMessage(role="user", content=ASKED)]).message.content == TOLD
rag = OpenAILike(model="rag:handbook", is_chat_model=True, **where)
assert [part.delta for part in rag.stream_chat([ChatMessage(role="user", content=ASKED)])]
embedding = OpenAILikeEmbedding(model_name="words", **where)
assert len(embedding.get_text_embedding_batch(["a", "b"])) == 2
