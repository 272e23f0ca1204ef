from __future__ import annotations

import httpx2
import pytest
from cli.tests.server import error, job, sse

from groundwork.client import JobFailed, WaitTimeout
from groundwork.client.connection import Connection
from groundwork.client.jobs import Jobs


def jobs_of(*responses: httpx2.Response) -> tuple[Jobs, list[float]]:
    sequence = iter(responses)
    pauses: list[float] = []
    transport = httpx2.MockTransport(lambda _: next(sequence))
    return Jobs(Connection("http://groundwork.test", "k", transport=transport), pauses.append), pauses


def test_waiting_follows_the_events_until_the_job_is_ready() -> None:
    jobs, _ = jobs_of(sse(job(), job(stage="indexing"), job("ready", "done")))
    seen: list[str] = []
    done = jobs.wait("job-1", on_change=lambda now: seen.append(now.stage))
    assert done.status == "ready"
    assert seen == ["parsing", "indexing", "done"]


def test_waiting_takes_up_a_stream_that_ended_early_or_a_server_that_restarts() -> None:
    jobs, pauses = jobs_of(sse(job()), error(503, "not_ready"), sse(job("ready", "done")))
    assert jobs.wait("job-1").status == "ready"
    assert len(pauses) == 2


def test_a_failed_job_is_raised_with_its_reason() -> None:
    reason = {"code": "no_text", "message": "There is no text in it.", "retryable": False}
    jobs, _ = jobs_of(sse(job("failed", error=reason)))
    with pytest.raises(JobFailed, match="no text") as caught:
        jobs.wait("job-1")
    assert (caught.value.code, caught.value.job_id) == ("no_text", "job-1")


def test_waiting_ends_at_its_deadline() -> None:
    jobs, _ = jobs_of(sse(job()))
    with pytest.raises(WaitTimeout, match="stage parsing"):
        jobs.wait("job-1", timeout=-1)
