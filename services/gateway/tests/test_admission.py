from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.adapters.memory_limits import MemoryLimiter
from gateway.admission import Admission, WhenAway
from gateway.errors import LimitsUnavailable, TooManyRequests
from gateway.keys import Principal
from gateway.ports import Gate, LimiterAway, Verdict
from servicekit.clock import ManualClock


class AwayLimiter:
    """A `RequestLimiter` that can be switched off; it counts how often it was asked."""

    def __init__(self, clock: ManualClock) -> None:
        self.inner, self.away, self.asked = MemoryLimiter(clock), True, 0

    async def take(self, gates: Sequence[Gate], call_id: str) -> Verdict:
        self.asked += 1
        if self.away:
            raise LimiterAway("connection refused")
        return await self.inner.take(gates, call_id)

    async def probe(self) -> None:
        return


def _key(limit: int | None = None, tenant_limit: int | None = None, key_id: str = "k1") -> Principal:
    return Principal(
        key_id,
        "acme",
        frozenset({"chat"}),
        requests_per_minute=limit,
        tenant_requests_per_minute=tenant_limit,
    )


def _admission(clock: ManualClock, when_away: WhenAway = "allow", limiter: Any = None) -> Admission:
    return Admission(limiter or MemoryLimiter(clock), when_away, clock)


async def test_a_key_without_limits_is_never_asked_about(clock: ManualClock) -> None:
    limiter = AwayLimiter(clock)
    assert await _admission(clock, "refuse", limiter).admit(_key(), "c") is None
    assert limiter.asked == 0


async def test_a_limit_lets_in_exactly_its_number_and_says_when_to_come_back(clock: ManualClock) -> None:
    admission = _admission(clock)
    allowances = []
    for number in range(3):
        allowances.append(await admission.admit(_key(3), f"c{number}"))
        clock.advance(10)
    assert [allowance.remaining for allowance in allowances if allowance] == [2, 1, 0]
    with pytest.raises(TooManyRequests) as refused:
        await admission.admit(_key(3), "c3")
    headers = refused.value.headers()
    assert headers["Retry-After"] == "30"  # the first of the three leaves the window 60 s after it came
    assert headers["X-RateLimit-Limit-Requests"] == "3"
    assert headers["X-RateLimit-Remaining-Requests"] == "0"
    assert headers["X-RateLimit-Reset-Requests"] == "50s"
    clock.advance(30)
    assert await admission.admit(_key(3), "c4") is not None


async def test_the_window_slides(clock: ManualClock) -> None:
    """A fixed window would let in twice the limit around its edge."""
    admission = _admission(clock)
    clock.advance(59)
    await admission.admit(_key(1), "c1")
    clock.advance(2)
    with pytest.raises(TooManyRequests):
        await admission.admit(_key(1), "c2")


async def test_a_call_refused_by_one_limit_uses_up_no_other(clock: ManualClock) -> None:
    admission = _admission(clock)
    await admission.admit(_key(1, 2), "c1")
    for number in range(5):
        with pytest.raises(TooManyRequests, match="this key"):
            await admission.admit(_key(1, 2), f"r{number}")
    assert await admission.admit(_key(5, 2, "k2"), "c2") is not None
    with pytest.raises(TooManyRequests, match="this tenant"):
        await admission.admit(_key(5, 2, "k2"), "c3")


async def test_without_redis_calls_pass_where_the_operator_chose_so_and_it_is_logged_once(clock: ManualClock) -> None:
    limiter = AwayLimiter(clock)
    admission = _admission(clock, "allow", limiter)
    with capture_logs() as lines:
        for number in range(5):
            assert await admission.admit(_key(1), f"c{number}") is None
        assert limiter.asked == 1  # no call waits for a Redis that was away a moment ago
        limiter.away = False
        clock.advance(1.1)
        assert await admission.admit(_key(1), "c9") is not None
    assert [line["log_level"] for line in lines] == ["error", "warning"]


async def test_without_redis_calls_are_refused_where_the_operator_chose_so(clock: ManualClock) -> None:
    admission = _admission(clock, "refuse", AwayLimiter(clock))
    for _ in range(2):
        with pytest.raises(LimitsUnavailable) as refused:
            await admission.admit(_key(1), "c1")
        assert refused.value.http_status == 503
        assert "Retry-After" in refused.value.headers()
