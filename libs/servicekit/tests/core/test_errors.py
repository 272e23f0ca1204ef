"""Errors as callers see them: status, envelope and headers; and which of all errors are a full disk's."""

from __future__ import annotations

import errno
import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError

from contracts.core.errors import ErrorBody, ErrorEnvelope
from servicekit.core import errors
from servicekit.core.errors import (
    DiskFull,
    InvalidRequest,
    PeerError,
    RateLimited,
    ServiceError,
    Unauthenticated,
    envelope,
    is_disk_full,
)


def test_an_error_that_repeats_half_a_character_is_written() -> None:
    told = ErrorEnvelope.model_validate_json(envelope(InvalidRequest("There is no '\ud800'.", param="a\ud800"), "req"))
    assert (told.error.message, told.error.param) == ("There is no '?'.", "a?")


KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ServiceError) and kind not in (ServiceError, PeerError, DiskFull)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_status_has_a_type_that_says_whose_turn_it_is(kind: type[ServiceError]) -> None:
    ours = {"internal", "overloaded", "upstream_error", "upstream_timeout"}
    assert (kind.type in ours) == (kind.status >= 500 or kind.code == "queue_full")
    told = ErrorEnvelope.model_validate_json(envelope(kind("What was wrong."), None)).error
    assert (told.type, told.code, told.message, told.request_id) == (kind.type, kind.code, "What was wrong.", None)


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.4, "1"), (1.6, "2"), (90.0, "90"), (None, None)])
def test_when_to_come_back_is_told_in_whole_seconds_and_never_at_once(
    seconds: float | None, header: str | None
) -> None:
    assert RateLimited("Too fast.", retry_after=seconds).headers().get("Retry-After") == header


def test_whoever_is_not_known_is_told_how_to_say_who_they_are() -> None:
    assert Unauthenticated("Who are you?").headers() == {"WWW-Authenticate": "Bearer"}


def test_a_peer_s_error_is_passed_on_in_its_own_words_under_our_request_id() -> None:
    theirs = ErrorBody(type="rate_limited", code="slow_down", message="Slower.", param="n", request_id="theirs")
    error = PeerError(429, theirs, retry_after=3.0)
    assert error.body("ours") == theirs.model_copy(update={"request_id": "ours"})
    assert (error.http_status, error.code, error.headers()) == (429, "slow_down", {"Retry-After": "3"})


def _chained(first: Exception, *causes: BaseException) -> Exception:
    error: BaseException = first
    for cause in causes:
        error.__cause__ = cause
        error = cause
    return first


def _sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("as SQLite has it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(errno.ENOSPC, "no room"), True),
        (OSError(errno.EDQUOT, "no quota"), True),
        (DiskFull(), True),
        (DBAPIError("INSERT", {}, _sqlite_error(sqlite3.SQLITE_FULL)), True),
        (_chained(RuntimeError(), ValueError(), OSError(errno.ENOSPC, "no room")), True),
        (ExceptionGroup("all", [ValueError(), ExceptionGroup("some", [OSError(errno.ENOSPC, "no room")])]), True),
        (OSError(errno.EIO, "broken"), False),
        (DBAPIError("INSERT", {}, _sqlite_error(sqlite3.SQLITE_BUSY)), False),
        (_chained(RuntimeError(), ValueError()), False),
        (ExceptionGroup("all", [ValueError()]), False),
    ],
)
def test_a_full_disk_is_known_whoever_says_so_and_however_deep(error: Exception, is_full: bool) -> None:
    assert is_disk_full(error) is is_full
