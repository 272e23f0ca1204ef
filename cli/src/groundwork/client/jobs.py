"""Ingest jobs: `client.jobs`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from contracts.documents.jobs import FINAL_JOB_STATUSES, Job
from contracts.operations import documents as operations
from groundwork.client.connection import Connection
from groundwork.errors import ApiError, JobFailed, Unreachable, WaitTimeout

WAIT_SECONDS = 600.0
RECONNECT_SECONDS = 0.5
Pause = Callable[[float], None]


class Jobs:
    """Look at, follow, cancel and retry jobs."""

    def __init__(self, connection: Connection, pause: Pause = time.sleep) -> None:  # noqa: TID251  # the one bounded wait
        self._connection = connection
        self._pause = pause

    def get(self, job_id: str) -> Job:
        """One job."""
        return self._connection.model(operations.GET_JOB, job_id)

    def list(self, *, status: str | None = None, collection: str | None = None) -> Iterator[Job]:
        """Jobs, by status and collection."""
        return self._connection.pages(operations.LIST_JOBS, params={"status": status, "collection": collection})

    def events(self, job_id: str, *, timeout: float | None = None) -> Iterator[Job]:
        """The job at each change, until it ends. The stream may also end early, at the server's own time limit."""
        with self._connection.events(operations.FOLLOW_JOB, job_id, timeout=timeout) as events:
            for event in events:
                yield Job.model_validate_json(event.data)

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop; it does between two batches."""
        self._connection.call(operations.CANCEL_JOB, job_id)

    def retry(self, job_id: str) -> None:
        """Try a failed job again."""
        self._connection.call(operations.RETRY_JOB, job_id)

    def wait(
        self,
        job_id: str,
        *,
        timeout: float = WAIT_SECONDS,
        on_change: Callable[[Job], None] | None = None,
    ) -> Job:
        """The job once it is `ready`. Follows its events and takes them up again when the stream breaks off.

        Raises `JobFailed` with the job's reason, `WaitTimeout` after `timeout` seconds, and `Unreachable` when the
        server stays away that long.
        """
        deadline = time.monotonic() + timeout
        while True:
            away: Unreachable | None = None
            try:
                for job in self.events(job_id, timeout=min(30.0, max(1.0, deadline - time.monotonic()))):
                    if on_change is not None:
                        on_change(job)
                    if job.status in FINAL_JOB_STATUSES:
                        return _ready(job)
                    _check(deadline, job_id, job)
            except Unreachable as error:
                away = error
            except ApiError as error:
                if error.status < 500 and error.status not in (200, 429):
                    raise
            if time.monotonic() > deadline and away is not None:
                raise away
            _check(deadline, job_id, None)
            self._pause(RECONNECT_SECONDS)


def _ready(job: Job) -> Job:
    if job.status == "ready":
        return job
    code, message = (job.error.code, job.error.message) if job.error else (job.status, f"The job was {job.status}.")
    raise JobFailed(message, code=code, job_id=job.id)


def _check(deadline: float, job_id: str, job: Job | None) -> None:
    if time.monotonic() > deadline:
        state = f" It is {job.status}, stage {job.stage}." if job else ""
        raise WaitTimeout(
            f"Job {job_id} has not ended in time.{state} It goes on; `groundwork status` shows the worker."
        )
