"""Chunking does work in proportion to the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.support.inference.tokenizers import word_pieces

from contracts.retrieval.collections import Chunking
from extraction.chunking.chunker import Chunker
from extraction.chunking.tokens import Tokens
from extraction.model.document import BlockKind, Builder, Extracted

LINES: dict[str, tuple[BlockKind, str, str]] = {
    "table": ("table", "the price | of days\n", "the price | 30\n"),
    "wide table": ("table", "c1 | " * 600 + "\n", "v1 | " * 600 + "\n"),
    "table with a huge first row": ("table", "column | " * 3000 + "\n", "value | x\n"),
    "paragraph": ("paragraph", "", "Goods can be sent back within 30 days. "),
    "list": ("list", "", "- within 30 days\n"),
    "code": ("code", "", "    return the + price\n"),
    "no blanks": ("paragraph", "", "abcdefgh"),
    "paragraphs": ("paragraph", "", "the word.\n\n"),
    "headings": ("heading", "", "days\n\nthe price\n\n"),
}


class Counted(str):
    """A text that counts the characters copied out of it."""

    copied = 0

    def __getitem__(self, key: Any) -> str:
        found = super().__getitem__(key)
        self.copied += len(found)
        return found


class CountingTokens(Tokens):
    """Counts the characters that are tokenized apart from the text's own pass."""

    counted = 0

    def lengths(self, texts: Sequence[str]) -> list[int]:
        self.counted += sum(map(len, texts))
        return super().lengths(texts)

    def head(self, text: str, limit: int) -> str:
        self.counted += len(text)
        return super().head(text, limit)


def document(shape: str, chars: int) -> Extracted:
    kind, first, line = LINES[shape]
    body = first + line * ((chars - len(first)) // len(line))
    builder = Builder()
    if kind == "heading":
        for number in range(chars // len(line)):
            builder.heading(f"h{number}", 6)
            builder.block("paragraph", "the price")
    else:
        for block in body.split("\n\n"):
            builder.block(kind, block)
    return builder.finish()


def work(shape: str, chars: int) -> float:
    """Characters copied and tokenized for each of the text."""
    whole, tokens = document(shape, chars), CountingTokens(word_pieces())
    text = Counted(whole.text)
    Chunker(tokens, Chunking(), 256).cut(Extracted(text, whole.blocks), "Handbook")
    return (text.copied + tokens.counted) / len(text)


@pytest.mark.parametrize("shape", LINES)
def test_cutting_does_work_in_proportion_to_the_text(shape: str) -> None:
    small, large = work(shape, 60_000), work(shape, 240_000)
    assert large < 1.2 * small
    assert large < 30
