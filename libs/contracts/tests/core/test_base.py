from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refused_field
from pydantic import TypeAdapter, ValidationError

from contracts.core.base import Count, DocumentId, Line, Name, Reply, Request, Title


class Wanted(Request):
    limit: int = 10


class Shown(Reply):
    limit: int = 10


def taken(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def test_a_misspelt_option_is_refused_and_an_unknown_fact_is_passed_over() -> None:
    assert refused_field(Wanted, {"limti": 5}) == "limti"
    assert Shown.model_validate({"limit": 5, "new": 1}).model_dump() == {"limit": 5}


@pytest.mark.parametrize("name", ["a", "0", "a_b-c", "a" * 63])
def test_a_name_is_in_small_letters_digits_and_dashes(name: str) -> None:
    assert taken(Name, name)


@pytest.mark.parametrize("name", ["", "-a", "_a", "A", "a.b", "a/b", "a b", "ä", "a\n", "a\0", "a" * 64, "rag:a"])
def test_what_could_be_more_than_a_name_is_none(name: str) -> None:
    assert not taken(Name, name)


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "...", ".a", "a" * 200])
def test_a_document_s_id_is_the_caller_s_own(given: str) -> None:
    assert taken(DocumentId, given)


@pytest.mark.parametrize("given", ["", ".", "..", "a/b", "a b", "%2e", "é", "a\n", "a" * 201])
def test_an_id_never_means_another_place_in_a_path(given: str) -> None:
    assert not taken(DocumentId, given)


@pytest.mark.parametrize("text", ["a\0", "\x1b[31m", "\x7f", "\ud800"])
def test_text_for_people_has_no_characters_that_steer_a_terminal_or_break_a_store(text: str) -> None:
    assert not taken(Line, text)
    assert not taken(Title, text)


def test_text_for_people_is_stored_as_it_came() -> None:
    text = " Ünïcode 🙂\tand\r\nlines "
    assert TypeAdapter(Line).validate_python(text) == text


def test_a_title_has_no_space_around_it_and_that_is_not_counted() -> None:
    assert TypeAdapter(Title).validate_python(" " * 10 + "x" * 500 + "\n") == "x" * 500
    assert not taken(Title, "x" * 501)


def test_a_number_of_things_is_never_negative() -> None:
    assert (taken(Count, 0), taken(Count, -1), taken(Count, 1.5)) == (True, False, False)
