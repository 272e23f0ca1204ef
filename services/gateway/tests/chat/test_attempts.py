from __future__ import annotations

from gateway.chat.attempts import failure_kind, pause_before
from servicekit.core.errors import InvalidRequest, NotReady, QueueFull, UpstreamTimeout


def test_what_the_caller_has_to_change_is_not_tried_again() -> None:
    too_long = InvalidRequest("x")
    too_long.code = "context_length_exceeded"
    assert failure_kind(too_long) == "context_overflow"
    assert failure_kind(InvalidRequest("x")) is None
    assert [failure_kind(error) for error in (NotReady("x"), QueueFull("x"), UpstreamTimeout("x"))] == ["error"] * 3


def test_pauses_grow_and_are_spread() -> None:
    pauses = [[pause_before(tries, NotReady("x", retry_after=9)) for _ in range(50)] for tries in (1, 2, 3)]
    for number, of_try in enumerate(pauses):
        assert 0.1 * 2**number <= min(of_try) < max(of_try) <= 0.15 * 2**number
