from __future__ import annotations

from typing import Any

import pytest

from gateway.auth.errors import SignInsTooMany
from gateway.auth.sign_in_limit import SignInLimit
from servicekit.core.clock import ManualClock

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def _from(host: str | None) -> dict[str, Any]:
    return {"type": "http", "client": None if host is None else (host, 1)}


def _refused(limit: SignInLimit, host: str | None) -> float | None:
    try:
        limit.count(_from(host))
    except SignInsTooMany as error:
        return error.retry_after
    return None


def test_an_address_signs_in_so_often_and_is_told_when_it_may_again(clock: ManualClock) -> None:
    limit = SignInLimit(3, clock)
    assert [_refused(limit, "10.0.0.1") for _ in range(3)] == [None] * 3
    clock.advance(20)
    assert _refused(limit, "10.0.0.1") == pytest.approx(40)
    assert _refused(limit, "10.0.0.2") is None, "others are not kept waiting"
    clock.advance(40)
    assert _refused(limit, "10.0.0.1") is None


def test_all_addresses_of_one_network_of_six_are_one_caller_and_so_are_those_without_any(clock: ManualClock) -> None:
    limit = SignInLimit(1, clock)
    assert [_refused(limit, host) is None for host in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")] == [
        True, False, True,
    ]  # fmt: skip
    assert [_refused(limit, None) is None for _ in range(2)] == [True, False]


def test_an_address_of_four_is_one_caller_on_a_socket_of_six_too(clock: ManualClock) -> None:
    limit = SignInLimit(1, clock)
    assert [_refused(limit, host) is None for host in ("::ffff:10.0.0.1", "::ffff:10.0.0.2", "10.0.0.1")] == [
        True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("made_up", [("unknown", "x" * 10_000), ("fe80::%one", "fe80::%two")])
def test_no_words_in_the_place_of_an_address_are_another_caller_each(
    clock: ManualClock, made_up: tuple[str, str]
) -> None:
    limit = SignInLimit(1, clock)
    assert [_refused(limit, host) is None for host in made_up] == [True, False]


def test_so_many_addresses_are_remembered_and_no_more(clock: ManualClock) -> None:
    limit = SignInLimit(1, clock, addresses=2)
    assert [_refused(limit, host) is None for host in (A, B, B, C, B, A)] == [
        True, True, False, True, False, True,
    ]  # fmt: skip


def test_a_clock_that_was_set_back_locks_nobody_out(clock: ManualClock) -> None:
    limit = SignInLimit(1, clock)
    limit.count(_from("10.0.0.1"))
    clock.advance(-3600)
    assert _refused(limit, "10.0.0.1") is None
