from __future__ import annotations

from contracts.retrieval.collections import Chunking
from extraction.chunking.chunker import Chunker
from extraction.chunking.tokens import Tokens
from extraction.model.document import Builder


def test_a_line_of_a_megabyte_without_spaces_is_cut_in_reasonable_pieces(tokens: Tokens) -> None:
    builder = Builder()
    builder.block("paragraph", "A" * 1_000_000)
    chunks = Chunker(tokens, Chunking(), 256).cut(builder.finish(), "")
    assert max(chunk.end - chunk.start for chunk in chunks) <= 128 * 12
