"""Many files into one collection: uploads with bounded concurrency, then every job until its end."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import get_args

from contracts.documents.documents import Document, Failure
from contracts.documents.jobs import Accepted, Job, JobStage
from groundwork.client.groundwork import Groundwork
from groundwork.client.transfers.files import check_name, document_id
from groundwork.errors import ApiError, GroundworkError, WaitTimeout

UPLOADS_AT_ONCE = 4
UPLOAD_TRIES = 5
FEW = 3
MANY = 20
LISTED_FOR_EACH = 20
"""A hundred documents are told of in one call, one is sent in one."""
INTERVAL_SECONDS = 0.3
LOOK_SHARE = 0.05
"""Share of the time that may go into looking: what looks costs the server, which has the files to read."""
LONGEST_INTERVAL_SECONDS = 3.0
_RANK = {stage: rank for rank, stage in enumerate(get_args(JobStage))}


@dataclass
class FileState:
    """Where one file is on its way."""

    file: Path
    document: Document | None = None
    job: Job | None = None
    unchanged: bool = False
    failure: str | None = None
    """Why it failed, in one sentence."""

    @property
    def uploaded(self) -> bool:
        """The server has the bytes."""
        return self.document is not None

    @property
    def ready(self) -> bool:
        """It can be found."""
        if self.job is not None:
            return self.job.status == "ready"
        return self.document is not None and self.document.status == "ready"

    @property
    def ended(self) -> bool:
        """It is ready or failed."""
        return self.ready or self.failure is not None

    def past(self, stage: JobStage) -> bool:
        """Whether its job has left a stage behind."""
        return self.ready or (self.job is not None and _RANK[self.job.stage] > _RANK[stage])


@dataclass
class Batch:
    """All files of one call."""

    states: list[FileState]
    seconds: float = 0.0
    pages: int = field(default=0)

    @property
    def failed(self) -> list[FileState]:
        """Those that failed."""
        return [state for state in self.states if state.failure is not None]


Changed = Callable[[Batch], None]


def ingest_files(
    client: Groundwork,
    collection: str,
    files: Sequence[Path],
    *,
    timeout: float,
    changed: Changed | None = None,
) -> Batch:
    """Upload files and wait until each is ready or failed; `changed` is called whenever something moved on.

    One file's failure is recorded and harms no other. Raises `WaitTimeout` when files are left after `timeout` seconds.
    """
    began = time.monotonic()
    batch = Batch([FileState(file) for file in files])
    known = _known(client, collection, len(files))
    pause = threading.Event()

    def report() -> None:
        if changed is not None:
            changed(batch)

    with ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="upload") as pool:
        uploads = [pool.submit(_upload, client, collection, state, pause, known) for state in batch.states]
        try:
            while not all(state.ended for state in batch.states):
                looked = time.monotonic()
                _look(client, collection, batch)
                took = time.monotonic() - looked
                report()
                _check_time(batch, began + timeout)
                _raise_what_broke(uploads)
                _wait(uploads, pause, min(max(INTERVAL_SECONDS, took / LOOK_SHARE), LONGEST_INTERVAL_SECONDS))
        finally:
            for upload in uploads:
                upload.cancel()
    batch.seconds = time.monotonic() - began
    batch.pages = sum(state.job.pages_total or 0 for state in batch.states if state.job)
    report()
    return batch


def _known(client: Groundwork, collection: str, files: int) -> dict[str, Document]:
    """What is there already, by id, where asking for all of it costs less than sending many files again."""
    if files < MANY or client.collections.get(collection).documents > files * LISTED_FOR_EACH:
        return {}
    return {document.id: document for document in client.documents.list(collection, status="ready")}


def _upload(
    client: Groundwork, collection: str, state: FileState, pause: threading.Event, known: dict[str, Document]
) -> None:
    there = known.get(document_id(state.file))
    try:
        check_name(str(state.file))
        if there is not None and there.sha256 == _sha256(state.file):
            state.document, state.unchanged = there, True
            return
        accepted = send_with_retries(lambda: _send(client, collection, state.file), pause)
    except (GroundworkError, OSError) as error:
        state.failure = str(error)
        return
    if accepted.unchanged and accepted.document.status == "failed":  # known to be unreadable: there is no new job
        state.failure = _reason(accepted.document.error, "failed")
    state.job, state.unchanged, state.document = accepted.job, accepted.unchanged, accepted.document


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _send(client: Groundwork, collection: str, file: Path) -> Accepted:
    return client.documents.upload(
        collection, file, document_id=document_id(file), metadata={"path": str(file), "folder": file.parent.name}
    )


def send_with_retries(send: Callable[[], Accepted], pause: threading.Event) -> Accepted:
    """Try again when the server says that it is too busy, as long as it asks to wait and a few times at most."""
    for _ in range(UPLOAD_TRIES - 1):
        try:
            return send()
        except ApiError as error:
            if error.retry_after is None or error.status not in (409, 429, 503):
                raise
            pause.wait(min(error.retry_after, 30.0))
    return send()


def _raise_what_broke(uploads: Sequence[Future[None]]) -> None:
    """An upload that ended in an error that none should have: its file would be waited for in vain."""
    for upload in uploads:
        if upload.done():
            upload.result()


def _wait(uploads: Sequence[Future[None]], pause: threading.Event, seconds: float) -> None:
    """Until it is time to look again, or the last upload is done: it may have been the last thing to do."""
    if all(upload.done() for upload in uploads):
        pause.wait(seconds)
    else:
        wait(uploads, timeout=seconds)


def _look(client: Groundwork, collection: str, batch: Batch) -> None:
    """Ask how far everything is: one call for a hundred jobs, so that looking does not slow down what it looks at."""
    waiting = {state.job.id: state for state in batch.states if state.job is not None and not state.ended}
    if len(waiting) > FEW:
        for job in islice(client.jobs.list(collection=collection), len(batch.states)):
            if job.id in waiting:
                _take(waiting.pop(job.id), job)
            if not waiting:
                break  # the newest come first, and those that are older than all of these have ended
    for job_id in list(waiting)[:FEW]:
        _take(waiting[job_id], client.jobs.get(job_id))
    for state in [state for state in batch.states if state.job is None and state.document and not state.ended][:FEW]:
        assert state.document is not None  # it was there already, and somebody else's job is at work on it
        state.document = client.documents.get(collection, state.document.id)
        if state.document.status in ("failed", "cancelled"):
            state.failure = _reason(state.document.error, state.document.status)


def _take(state: FileState, job: Job) -> None:
    state.job = job
    if job.status in ("failed", "cancelled"):
        state.failure = _reason(job.error, job.status)


def _reason(error: Failure | None, status: str) -> str:
    return f"{error.message} [{error.code}]" if error else f"It was {status}."


def _check_time(batch: Batch, deadline: float) -> None:
    if time.monotonic() > deadline:
        left = sum(not state.ended for state in batch.states)
        raise WaitTimeout(f"{left} of {len(batch.states)} files were not ready in time. Their jobs go on.")
