from __future__ import annotations

import hashlib
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libs.extraction.tests.cases import documents

from contracts.retrieval.collections import Chunking, ChunkingStrategy
from extraction.chunking.chunker import Chunk, Chunker, embedded
from extraction.chunking.tokens import Tokens
from extraction.model.document import Builder, Extracted

STRATEGIES = get_args(ChunkingStrategy)


def check(document: Extracted, chunks: list[Chunk], tokens: Tokens, limit: int) -> None:
    text = document.text
    covered = bytearray(len(text))
    for chunk in chunks:
        assert 0 <= chunk.start < chunk.end <= len(text)
        assert text[chunk.start : chunk.end].strip()
        covered[chunk.start : chunk.end] = b"\1" * (chunk.end - chunk.start)
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)
    assert [chunk.end for chunk in chunks] == sorted(chunk.end for chunk in chunks)
    assert all(covered[at] or text[at].isspace() for at in range(len(text)))
    sizes = tokens.lengths([embedded(chunk, text) for chunk in chunks])
    assert all(size <= limit for size in sizes)


@settings(max_examples=150, deadline=None)
@given(
    document=documents(),
    title=st.text(max_size=40),
    strategy=st.sampled_from(STRATEGIES),
    limit=st.integers(24, 128),
    size=st.integers(16, 128) | st.none(),
    overlap=st.integers(0, 8),
)
def test_chunks_are_exact_slices_in_order_that_cover_the_text_and_fit_the_model(
    document: Extracted,
    title: str,
    strategy: ChunkingStrategy,
    limit: int,
    size: int | None,
    overlap: int,
    tokens: Tokens,
) -> None:
    chunking = Chunking(strategy=strategy, max_tokens=size, overlap=overlap)
    chunks = Chunker(tokens, chunking, limit).cut(document, title)
    check(document, chunks, tokens, limit)


def build() -> Extracted:
    builder = Builder()
    builder.heading("Handbook", 1)
    builder.heading("Returns", 2)
    builder.block("paragraph", "Goods can be sent back within 30 days.")
    builder.heading("Prices", 2)
    builder.rows([["Product", "Price"], *[[f"thing {number}", f"EUR {number}"] for number in range(30)]])
    return builder.finish()


def test_auto_keeps_what_stands_under_one_heading_together(tokens: Tokens) -> None:
    document = build()
    first, *others = Chunker(tokens, Chunking(max_tokens=64), 128).cut(document, "Handbook")
    assert document.text[first.start : first.end].endswith("within 30 days.")
    assert (first.heading_path, first.header) == (("Handbook", "Returns"), "Handbook")
    assert all(chunk.heading_path == ("Handbook", "Prices") for chunk in others)


def test_a_split_table_repeats_its_first_row_in_the_header_and_cuts_between_rows(tokens: Tokens) -> None:
    document = build()
    *_, last = Chunker(tokens, Chunking(max_tokens=64), 128).cut(document, "Handbook")
    assert last.header == "Handbook > Prices\nProduct | Price"
    rows = document.text[last.start : last.end].split("\n")
    assert all(row.startswith("thing ") for row in rows)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_empty_document_has_no_chunks(tokens: Tokens, strategy: ChunkingStrategy) -> None:
    assert Chunker(tokens, Chunking(strategy=strategy), 256).cut(Extracted("", ()), "title") == []


def handbook() -> Extracted:
    """All kinds of blocks, under headings and on pages, with what is too long for one chunk."""
    builder = Builder()
    for page in (1, 2):
        builder.heading(f"Part {page}", 1, page)
        builder.heading("Prices", 2, page)
        builder.rows([["Product", "Price"], *[[f"thing {number}", f"EUR {number}"] for number in range(60)]], page)
        builder.block("paragraph", "Goods can be sent back within 30 days. The price is paid back. " * 40, page)
        builder.block("list", "\n".join(f"- item {number} within the days" for number in range(50)), page)
        builder.heading("How it is done", 2, page)
        builder.block("code", "\n".join(f"    return price + {number}" for number in range(50)), page)
        builder.block("paragraph", "x" * 2000, page)
    return builder.finish()


CUT_AS_EVER = {
    "auto": "13d728f95642531a",
    "recursive": "dbbd0dcbca580ea1",
    "markdown": "75b657f458a8b0a8",
    "sentence": "dbbd0dcbca580ea1",
    "fixed": "a8faf9dc338488b7",
}
"""Digests of the chunks that earlier versions cut."""


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_chunks_are_those_of_earlier_versions_so_that_nothing_is_embedded_anew(
    tokens: Tokens, strategy: ChunkingStrategy
) -> None:
    digest = hashlib.sha256()
    for size, overlap in ((None, 0), (64, 0), (64, 12)):
        chunking = Chunking(strategy=strategy, max_tokens=size, overlap=overlap)
        for chunk in Chunker(tokens, chunking, 128).cut(handbook(), "Handbook"):
            told = (chunk.start, chunk.end, chunk.page, *chunk.heading_path, chunk.header)
            digest.update(repr(told).encode())
    assert digest.hexdigest()[:16] == CUT_AS_EVER[strategy]


def test_column_names_never_end_a_chunk_without_a_row(tokens: Tokens) -> None:
    for words in range(1, 60):
        builder = Builder()
        builder.block("paragraph", "word " * words)
        builder.rows([["Town", "Opens"], *([f"Town {number}", f"{number}:00"] for number in range(40))], header=True)
        document = builder.finish()
        chunks = Chunker(tokens, Chunking(max_tokens=60), 128).cut(document, "")
        named = [text for one in chunks if "Town | Opens" in (text := document.text[one.start : one.end])]
        assert [("Town 0 | 0:00" in one) for one in named] == [True]
