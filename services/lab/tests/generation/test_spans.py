from __future__ import annotations

import random
import re

import pytest

from lab.generation import spans
from lab.generation.spans import key_of, spans_of

TEXT = """# Leave

Full-time employees receive 27 days of leave. They are booked in Almanac. See page 4 for e.g. the table of all days.
- [ ] The contract with Osterfenn B.V. is signed by both sides.

**Dew hold** – A rule that suppresses alerts for 90 minutes after sunrise.

| Room | Seats |
| --- | --- |
| Avocet | 12 |
| Curlew | |
| | 4 |

Short one. Is this a question that nobody should ask about again?
"""


def test_sentences_definitions_and_rows_are_found_where_they_stand() -> None:
    found = spans_of(TEXT)
    assert [span.text for span in found] == [
        "Full-time employees receive 27 days of leave.",
        "The contract with Osterfenn B.V. is signed by both sides.",
        "Dew hold – A rule that suppresses alerts for 90 minutes after sunrise.",
        "| Avocet | 12 |",
        "| Curlew | |",
    ]
    for span in found:
        assert TEXT[span.start : span.end].replace("**", "") == span.text
    assert found[2].term == "Dew hold"
    assert found[3].row == (("Room", "Avocet"), ("Seats", "12"))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("The deposit for a kit is EUR 1,300.50 per week.", "EUR 1,300.50"),
        ("Days must be taken by 30 June at the latest.", "30 June"),
        ("The target is at least 96 percent on time.", "96 percent"),
        ("Ask two working days ahead.", "two working days"),
        ("The form goes to the desk of Wietske Roorda.", "Wietske Roorda"),
        ("Nobody may enter the hall alone at night.", None),
    ],
)
def test_what_a_sentence_tells_is_its_number_with_its_unit_or_its_name(text: str, key: str | None) -> None:
    assert key_of(text) == key


def test_a_text_without_an_end_takes_no_time() -> None:
    assert spans_of("word " * 200_000) == []
    assert spans_of("A. " * 100_000) == []
    assert len(spans_of(("| a " * 50 + "|\n") * 2_000)) == 1_999


@pytest.mark.parametrize("end", [" x|", "", ":x", "|x", " |" * 500])
def test_a_line_of_dashes_that_is_no_separator_takes_no_time(end: str) -> None:
    for dash in ("-", "- ", "--|", ":--:|", "= "):
        spans_of(f"| a | b |\n|{dash * 10_000}{end}\n")


def test_what_parts_a_header_from_its_rows_is_told_as_a_pattern_with_bars_between_cells_does() -> None:
    cell = r"\s*:?-{2,}:?\s*"
    pattern = re.compile(rf"\|?{cell}(?:\|{cell})*\|?")
    chance = random.Random(1)
    for _ in range(20_000):
        line = "|" + "".join(chance.choices("|:- x", (4, 2, 9, 2, 0.3), k=chance.randint(0, 12))).strip()
        is_row = any(block.kind == "row" for block in spans._blocks(line))
        assert is_row == (pattern.fullmatch(line) is None), line


def test_a_definition_and_a_header_have_bounds() -> None:
    assert spans_of("Dew hold – A rule " + "that suppresses alerts " * 100 + "here.")[:1] == []
    wide = "| Room | " + "S" * 700 + " |\n| --- | --- |\n| Avocet | 12 |\n"
    assert spans_of(wide) == []
