from __future__ import annotations

from contracts.retrieval.collections import Chunking
from extraction.chunking.chunker import Chunker
from extraction.chunking.tokens import Tokens
from extraction.model.document import Builder


def test_a_chunk_never_spans_two_pages(tokens: Tokens) -> None:
    builder = Builder()
    for page in (1, 2, 3):
        builder.block("paragraph", "the word and the price", page)
    chunks = Chunker(tokens, Chunking(), 256).cut(builder.finish(pages=3), "")
    assert [chunk.page for chunk in chunks] == [1, 2, 3]
