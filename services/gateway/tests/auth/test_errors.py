from __future__ import annotations

import pytest

from gateway.auth.errors import (
    CollectionNotAllowed,
    GrantRefused,
    KeyAmbiguous,
    KeyExpired,
    KeyMissing,
    KeyNotFound,
    KeyRevoked,
    KeyUnknown,
    NotYours,
    ScopeMissing,
    TenantNotFound,
)
from servicekit.core.errors import ServiceError


@pytest.mark.parametrize("error", [KeyMissing(), KeyAmbiguous(), KeyUnknown(), KeyRevoked(), KeyExpired()])
def test_who_is_not_known_is_told_how_to_say_who_they_are(error: ServiceError) -> None:
    assert (error.http_status, error.headers()) == (401, {"WWW-Authenticate": "Bearer"})


def test_work_that_goes_on_after_its_key_is_refused_and_not_asked_for_another() -> None:
    assert GrantRefused().code == KeyRevoked().code
    assert (GrantRefused().http_status, GrantRefused().headers()) == (403, {})


@pytest.mark.parametrize("error", [KeyNotFound("x" * 9000), TenantNotFound("x" * 9000), NotYours("job", "x" * 9000)])
def test_of_what_a_caller_made_up_only_a_part_is_repeated(error: ServiceError) -> None:
    assert error.http_status == 404
    assert len(error.message) < 300


def test_a_path_that_nothing_can_have_is_answered_like_any_unknown_name() -> None:
    error = NotYours("collection", "../x")
    assert (error.code, error.param, error.http_status) == ("collection_not_found", "collection", 404)


def test_a_missing_right_is_named() -> None:
    assert "'agents:write'" in ScopeMissing("agents:write").message
    assert "'handbook'" in CollectionNotAllowed("handbook").message
