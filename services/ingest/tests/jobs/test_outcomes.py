from __future__ import annotations

import errno

import pytest

from contracts.core.errors import ErrorBody
from extraction.model.failures import encrypted, timed_out
from ingest.errors import BlobMissing
from ingest.jobs.outcomes import (
    GrantRefused,
    ServiceAway,
    TokenRefused,
    calling,
    decide,
)
from servicekit.core.errors import DiskFull, PeerError
from servicekit.jobs.outcomes import Cancel, Fail, Outcome, RetryPolicy, TryAgain, Wait
from servicekit.peers.client import PeerTimeout, PeerUnreachable


def outcome(error: Exception, waited: float = 0, failed_attempts: int = 1) -> Outcome:
    return decide(RetryPolicy(max_attempts=5, max_wait=3600), error, waited=waited, failed_attempts=failed_attempts)


def peer_error(status: int, code: str, retry_after: float | None = None) -> PeerError:
    return PeerError(status, ErrorBody(type="conflict", code=code, message="Why."), retry_after)


@pytest.mark.parametrize(
    ("error", "service"),
    [
        (PeerUnreachable("retriever"), "retriever"),
        (PeerTimeout("retriever"), "retriever"),
        (peer_error(503, "inference_unreachable"), "inference"),
        (peer_error(504, "inference_timeout"), "inference"),
        (peer_error(429, "queue_full"), "retriever"),
        (peer_error(502, "upstream_error"), "retriever"),
        (peer_error(503, "disk_full", 30), "disk"),
    ],
)
def test_the_service_that_is_away_is_named(error: Exception, service: str) -> None:
    with pytest.raises(ServiceAway) as away, calling("retriever"):
        raise error
    assert away.value.service == service


def test_a_job_waits_for_room_on_the_disk_as_for_a_service() -> None:
    assert outcome(OSError(errno.ENOSPC, "No space left on device")) == Wait("disk", 1.0)
    assert outcome(DiskFull(), waited=20) == Wait("disk", 10.0)
    given_up = outcome(DiskFull(), waited=3601)
    assert isinstance(given_up, Fail)
    assert (given_up.failure.code, given_up.failure.retryable) == ("disk_unavailable", True)
    assert "disk has been full" in given_up.failure.message


def test_a_refused_token_and_a_refused_request_are_told_apart() -> None:
    with pytest.raises(TokenRefused), calling("retriever"):
        raise peer_error(401, "invalid_delegation")
    with pytest.raises(PeerError), calling("retriever"):
        raise peer_error(409, "stale_revision")


def test_a_wait_grows_but_never_beyond_half_a_minute_and_respects_retry_after() -> None:
    assert outcome(ServiceAway("retriever", None)) == Wait("retriever", 1.0)
    assert outcome(ServiceAway("retriever", 7.0)) == Wait("retriever", 7.0)
    assert outcome(ServiceAway("retriever", 900.0), waited=600) == Wait("retriever", 30.0)
    given_up = outcome(ServiceAway("retriever", None), waited=3601)
    assert isinstance(given_up, Fail)
    assert (given_up.failure.code, given_up.failure.retryable) == ("retriever_unavailable", True)


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (encrypted("PDF"), "encrypted", False),
        (timed_out(3), "timeout", True),
        (BlobMissing(), "blob_missing", True),
        (GrantRefused(), "grant_expired", True),
        (peer_error(403, "key_revoked"), "key_revoked", True),
        (peer_error(404, "collection_not_found"), "collection_not_found", False),
    ],
)
def test_what_can_not_succeed_by_itself_fails_with_its_reason(error: Exception, code: str, retryable: bool) -> None:
    decided = outcome(error)
    assert isinstance(decided, Fail)
    assert (decided.failure.code, decided.failure.retryable) == (code, retryable)


def test_a_stale_revision_is_superseded_and_a_bug_is_tried_again_for_a_while() -> None:
    assert isinstance(outcome(peer_error(409, "stale_revision")), Cancel)
    assert outcome(RuntimeError(), failed_attempts=2) == TryAgain(4.0)
    exhausted = outcome(RuntimeError(), failed_attempts=5)
    assert isinstance(exhausted, Fail)
    assert exhausted.failure.code == "attempts_exhausted"
