from __future__ import annotations

from typing import get_args

import pytest

from contracts.access.guardrails import Where
from gateway.guardrails.errors import AnswerTooLarge, BodyUnreadable, ContentBlocked, InputTooLong


@pytest.mark.parametrize("where", get_args(Where))
def test_a_refusal_says_what_kind_of_thing_was_found_wherever_it_was(where: Where) -> None:
    error = ContentBlocked("pii", where, ["card", "iban"])
    assert "pii (card, iban)" in error.message
    assert (error.http_status, error.body(None).type, error.code) == (400, "content_blocked", "content_blocked")


def test_a_refusal_tells_who_can_do_something_about_it() -> None:
    told = [ContentBlocked("secrets", where, ["key"]).message for where in get_args(Where)]
    assert len(set(told)) == len(told)
    assert "Take it out" in ContentBlocked("secrets", "input", ["key"]).message


def test_what_is_too_long_and_what_can_not_be_read_is_the_callers_and_what_is_too_large_is_not() -> None:
    assert "5,001 characters of text; this key may send 5,000" in InputTooLong(5001, 5000).message
    assert [error.http_status for error in (InputTooLong(2, 1), BodyUnreadable(), AnswerTooLarge(9))] == [400, 400, 502]
