from __future__ import annotations

from tests.support.inference.tokenizers import word_pieces

from contracts.retrieval.collections import Chunking
from extraction.chunking.chunker import Chunker
from extraction.chunking.tokens import Tokens
from extraction.model.document import Builder


def test_a_header_is_never_longer_than_twelve_characters_for_each_token_of_its_room() -> None:
    """The only chunks that differ from those of earlier versions: one word of a thousand letters may be one token."""
    tokens = Tokens(word_pieces())
    builder = Builder()
    builder.heading("h" * 200, 1)
    builder.rows([["x" * 100_000], *[[f"thing {number}", "the price"] for number in range(200)]])
    chunks = Chunker(tokens, Chunking(), 256).cut(builder.finish(), "t" * 500)
    assert len(chunks) > 3
    assert max(len(chunk.header) for chunk in chunks) <= 256 // 4 * 12
