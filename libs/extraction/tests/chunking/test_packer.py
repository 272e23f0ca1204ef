from __future__ import annotations

from itertools import pairwise

from contracts.retrieval.collections import Chunking
from extraction.chunking.chunker import Chunker
from extraction.chunking.tokens import Tokens
from extraction.model.document import Builder


def test_overlap_repeats_the_end_of_the_chunk_before(tokens: Tokens) -> None:
    builder = Builder()
    builder.block("paragraph", " ".join(f"word{number}." for number in range(200)))
    document = builder.finish()
    chunks = Chunker(tokens, Chunking(strategy="sentence", max_tokens=60, overlap=20), 128).cut(document, "")
    assert all(after.start < before.end for before, after in pairwise(chunks))
    assert all(document.text[chunk.start - 1].isspace() for chunk in chunks[1:])
