from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contracts.retrieval.collections import Chunking
from extraction.chunking.chunker import Chunker
from extraction.chunking.tokens import Tokens
from extraction.model.document import Builder, Extracted
from extraction.model.parts import joined, split


@st.composite
def built(draw: st.DrawFn) -> Extracted:
    builder = Builder()
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.booleans()):
            builder.heading(draw(st.text("abc ", min_size=1, max_size=20)), draw(st.integers(1, 3)))
        builder.block("paragraph", draw(st.text("abc. é漢\n", min_size=1, max_size=200)))
    return builder.finish()


@given(document=built(), chars=st.integers(1, 300))
def test_a_document_is_its_parts_joined(document: Extracted, chars: int) -> None:
    parts = list(split(document, chars))
    again = joined(parts)
    assert (again.text, again.blocks) == (document.text, document.blocks)
    assert [part.done for part in parts] == sorted({part.done for part in parts})
    assert parts[-1].done == 1.0


def ledger_of_a_machine(rows: int) -> Extracted:
    builder = Builder()
    builder.heading("Spares", 1)
    builder.block("paragraph", "What is in stock.")
    builder.rows([["Part", "Price"], *[[f"part {number}", f"EUR {number}"] for number in range(rows)]])
    builder.block("paragraph", "Prices are those of the spring.")
    return builder.finish()


def test_a_long_table_comes_in_parts_of_whole_rows_under_its_first_row(tokens: Tokens) -> None:
    """Chunks at the seams of parts are others than those of earlier versions, which had such a table in one part."""
    document = ledger_of_a_machine(2000)
    parts = list(split(document, 4000))
    assert max(len(part.text) for part in parts) <= 4000
    lines = [line for part in parts for line in part.text.split("\n") if line]
    assert lines == [line for line in document.text.split("\n") if line]
    assert [part.done for part in parts] == sorted({part.done for part in parts})
    cutter = Chunker(tokens, Chunking(max_tokens=64), 128)
    headers = [
        (chunk.header, part.text[chunk.start : chunk.end]) for part in parts for chunk in cutter.cut(part, "Spares")
    ]
    in_table = [above for above, text in headers if text.startswith("part ")]
    assert len(in_table) > len(parts) > 9
    assert set(in_table) == {"Spares\nPart | Price"}


def test_a_row_longer_than_a_part_is_a_part() -> None:
    builder = Builder()
    builder.rows([["head", "row"], ["x" * 5000, "1"], ["a", "2"]])
    parts = list(split(builder.finish(), 1000))
    assert [len(part.text) > 1000 for part in parts] == [False, True, False]
    assert [part.row for part in parts] == [None, "head | row", "head | row"]


def test_parts_kept_by_earlier_versions_can_be_read(tokens: Tokens) -> None:
    saved = ledger_of_a_machine(3).to_json()
    del saved["row"]
    assert Extracted.from_json("text", saved).row is None
