"""Splitting: every unit is an exact span, and lines are told from wraps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.text.sentences import cells, sentences, split

PIECES = st.sampled_from(
    [
        *("A sentence. ", "No. 5 is here! ", "\n", "\n\n", "# Head\n", "| a | b |\n", "- item\n", "x\ty\n"),
        *("Ünï 東京。", "e.g. this ", "? "),
    ]
)


def texts(text: str) -> list[str]:
    return [text[unit.start : unit.end] for unit in split(text)]


@given(st.lists(PIECES | st.text(max_size=30), max_size=25).map("".join))
def test_units_are_spans_in_order_that_never_overlap_and_lose_no_word(text: str) -> None:
    units = split(text)
    for unit in units:
        assert 0 <= unit.start < unit.end <= len(text)
        assert not text[unit.start].isspace()
        assert not text[unit.end - 1].isspace()
        for span in (unit.header, unit.heading):
            assert span is None or 0 <= span[0] < span[1] <= len(text)
    assert all(one.end <= other.start for one, other in pairwise(units))
    outside = set(range(len(text))) - {at for unit in units for at in range(unit.start, unit.end)}
    words = [at for at in outside if text[at].isalpha() and text[at].lower() not in "abcdefghijklmnopqrstuvwxyz"]
    assert not words, "only blanks, rules and list markers lie between units"


@given(st.text(max_size=300))
def test_sentences_are_spans_in_order(text: str) -> None:
    end = 0
    for begin, stop in sentences(text):
        assert end <= begin < stop <= len(text)
        end = stop


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.", ["One.", "Two."]),
        ("Costs EUR 3.75 today. Order no. 10-2100 is out.", ["Costs EUR 3.75 today.", "Order no. 10-2100 is out."]),
        ("See Dr. Smith, e.g. on Monday. Bye.", ["See Dr. Smith, e.g. on Monday.", "Bye."]),
        ("It is behind building B. There are showers.", ["It is behind building B.", "There are showers."]),
        ("Osterfenn B.V. makes probes. They last.", ["Osterfenn B.V. makes probes.", "They last."]),
        ("これは文です。次の文。", ["これは文です。", "次の文。"]),
        ('He said "Stop!" Then he left.', ['He said "Stop!"', "Then he left."]),
    ],
)
def test_abbreviations_and_numbers_do_not_end_a_sentence(text: str, expected: list[str]) -> None:
    assert [text[begin:end] for begin, end in sentences(text)] == expected


def test_a_wrapped_line_goes_on_and_a_short_line_ends() -> None:
    text = (
        "The building is open on working days from 06:30 to 20:00. Outside these hours\n"
        "the alarm is on.\n\nVISITORS\n\nRegister visitors at least 24 hours before they arrive at the front desk.\n"
    )
    assert texts(text) == [
        "The building is open on working days from 06:30 to 20:00.",
        "Outside these hours\nthe alarm is on.",
        "VISITORS",
        "Register visitors at least 24 hours before they arrive at the front desk.",
    ]
    assert [unit.kind for unit in split(text)] == ["sentence", "sentence", "heading", "sentence"]


def test_a_table_row_knows_its_header_and_a_two_column_list_has_none() -> None:
    text = "Plan | Price\nStarter | EUR 2\nTeam | EUR 4\n\nHousing | stainless steel\nSeal | rubber"
    rows = [unit for unit in split(text) if unit.kind == "row"]
    assert [text[unit.start : unit.end] for unit in rows] == [
        "Starter | EUR 2", "Team | EUR 4", "Housing | stainless steel", "Seal | rubber"
    ]  # fmt: skip
    assert [text[slice(*unit.header)] if unit.header else None for unit in rows] == [
        "Plan | Price", "Plan | Price", None, None
    ]  # fmt: skip


def test_the_first_row_of_a_continued_table_is_not_taken_for_its_header() -> None:
    text = "Team | within six working hours | email, phone\nEnterprise | within one hour | named contact"
    assert [unit.kind for unit in split(text)] == ["row", "row"]


def test_a_question_is_a_unit_of_its_own_kind() -> None:
    text = "### Do I need a SIM card?\n\nNo. Every gateway has one built in."
    assert [unit.kind for unit in split(text)] == ["question", "sentence", "sentence"]


@pytest.mark.parametrize("row", ["| a | b c |", "a\tb c", "a    b c"])
def test_cells_of_every_kind_of_row(row: str) -> None:
    assert cells(row) == ["a", "b c"]


def test_a_day_of_a_german_date_ends_no_sentence() -> None:
    text = (
        "Resturlaub verfällt am 31. März des Folgejahres. Er gilt ab 2019. Mai und Juni sind frei. "
        "The limit is 12. August figures follow."
    )
    assert [text[start:end] for start, end in sentences(text)] == [
        "Resturlaub verfällt am 31. März des Folgejahres.",
        "Er gilt ab 2019.",
        "Mai und Juni sind frei.",
        "The limit is 12.",
        "August figures follow.",
    ]


@pytest.mark.parametrize(
    "sides",
    [
        ("他说：“保修期两年。”", "电池除外。"),
        ("「二年です。」", "電池は別です。"),
        ("مدة الضمان سنتان.", "هل تشمل البطارية؟", "لا تشملها."),
        ("वारंटी दो साल की है।", "बैटरी नहीं।"),
        ("„Zwei Jahre.“", "Ohne Akku."),
    ],
)
def test_sentences_end_as_their_script_ends_them(sides: tuple[str, ...]) -> None:
    joined = ("" if sides[0][0] in "他「" else " ").join(sides)
    assert texts(joined) == list(sides)


@pytest.mark.parametrize("asked", ["保修期多长？", "ما مدة الضمان؟"])
def test_a_question_is_told_by_the_mark_of_its_script(asked: str) -> None:
    assert split(f"{asked}\n\nx.")[0].kind == "question"


@pytest.mark.parametrize(
    "said",
    [
        ["La garantía es de dos años.", "¿Cubre la batería?", "¡No!"],
        ["Er sagte: „Es geht.“", "„Wirklich?“", "»Ja.«", "Dann ging er."],
    ],
)
def test_sentences_end_and_begin_by_the_marks_of_their_language(said: list[str]) -> None:
    text = " ".join(said)
    assert [text[unit.start : unit.end] for unit in split(text)] == said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Coffee ........ 3.50\nTea ........ 2.80 EUR", ["Coffee ........ 3.50", "Tea ........ 2.80 EUR"]),
        ("2.7 Workout modes of the watch . . . . . 17", ["2.7 Workout modes of the watch . . . . . 17"]),
        ("Wait.... Then press it.", ["Wait....", "Then press it."]),
        ("He won.... 17 people saw it.", ["He won....", "17 people saw it."]),
    ],
)
def test_dots_that_lead_to_a_figure_end_no_sentence(text: str, expected: list[str]) -> None:
    assert [text[unit.start : unit.end] for unit in split(text)] == expected


def test_a_line_of_a_program_is_no_heading() -> None:
    text = "Settings\n\nRETRIES = 3\n\nPython 3.10 or newer is needed for all of this to work."
    assert [unit.kind for unit in split(text)] == ["heading", "sentence", "sentence"]


@pytest.mark.parametrize(
    "header",
    ["clinic | town | opens", "City | Hotel limit per night in euro | Approver", "Name | What it costs"],
)
def test_words_above_a_column_of_figures_are_its_header(header: str) -> None:
    rows = (
        {
            3: "\nNorth | Kells | 09:00\nSouth | Tuam | 10:00",
            2: "\nPlover | EUR 4\nHeron | EUR 7",
        }[len(cells(header))]
        .replace("Kells", "150" if "Hotel" in header else "Kells")
        .replace("Tuam", "90")
    )
    units = split(header + rows)
    assert [unit.kind for unit in units] == ["heading", "row", "row"]
    assert all(unit.header == (0, len(header)) for unit in units[1:])


def test_a_ruled_first_row_is_the_header_whatever_it_says() -> None:
    text = "benefit | who gets it\n-|-\ngym | everyone\ncar | managers"
    assert [unit.kind for unit in split(text)] == ["heading", "row", "row"]


def test_empty_cells_at_either_end_of_a_row_keep_their_place() -> None:
    assert cells("Heron | 2,5 |") == ["Heron", "2,5", ""]
    assert cells("| 2,5 | new") == ["", "2,5", "new"]
    assert cells("| a | |") == ["a", ""]
