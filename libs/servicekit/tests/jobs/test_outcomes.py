from __future__ import annotations

import pytest

from contracts.core.errors import ErrorBody
from servicekit.core.errors import PeerError
from servicekit.jobs.outcomes import Fail, RetryPolicy, TryAgain, Wait, service_away

POLICY = RetryPolicy(max_attempts=3, max_wait=600.0, longest_retry_after=120.0, longest_backoff=5.0)


def failed(status: int, code: str, retry_after: float | None = None) -> PeerError:
    return PeerError(status, ErrorBody(type="overloaded", code=code, message="Why."), retry_after)


@pytest.mark.parametrize(
    ("error", "service"),
    [
        (failed(503, "inference_unreachable"), "inference"),
        (failed(504, "inference_timeout"), "inference"),
        (failed(429, "queue_full"), "retriever"),
        (failed(502, "upstream_error"), "retriever"),
        (failed(500, "internal"), None),
        (failed(404, "not_found"), None),
    ],
)
def test_the_service_that_is_away_is_named(error: PeerError, service: str | None) -> None:
    assert service_away(error, "retriever") == service


def test_a_wait_grows_up_to_its_longest_and_keeps_to_what_the_service_asks() -> None:
    assert POLICY.wait("retriever", 0.0) == Wait("retriever", 1.0)
    assert POLICY.wait("retriever", 20.0) == Wait("retriever", 10.0)
    assert POLICY.wait("retriever", 500.0) == Wait("retriever", 30.0)
    assert POLICY.wait("retriever", 0.0, retry_after=900.0) == Wait("retriever", 120.0)
    assert POLICY.wait("retriever", 601.0) is None


def test_an_error_of_ones_own_is_tried_again_ever_later_and_fails_in_the_end() -> None:
    outcomes = [POLICY.decide(RuntimeError(), waited=0.0, failed_attempts=tried) for tried in (1, 2, 3)]
    assert outcomes[:2] == [TryAgain(2.0), TryAgain(4.0)]
    assert isinstance(outcomes[2], Fail)
    assert outcomes[2].failure.code == "attempts_exhausted"
    assert POLICY.backoff(30) == 5.0


def test_what_a_service_refuses_fails_and_what_is_away_too_long_may_be_retried() -> None:
    refused = POLICY.decide(failed(404, "collection_not_found"), waited=0.0, failed_attempts=1)
    given_up = POLICY.decide(failed(503, "retriever_unreachable"), waited=601.0, failed_attempts=1)
    assert isinstance(refused, Fail)
    assert isinstance(given_up, Fail)
    assert (refused.failure.code, refused.failure.retryable) == ("collection_not_found", False)
    assert (given_up.failure.code, given_up.failure.retryable) == ("retriever_unreachable", True)
