"""A folder that stays the same as its documents in a collection: `FolderWatch`.

Each look compares the folder with what the server has, so that nothing hangs on an event that was missed: a restart, a
network file system and a thousand files at once are the same case.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Literal, Self

from contracts.documents.jobs import FINAL_JOB_STATUSES, Accepted, Job
from groundwork.client.groundwork import Groundwork
from groundwork.client.transfers import snapshots
from groundwork.client.transfers.files import check_name
from groundwork.client.transfers.snapshots import Mark, Snapshot
from groundwork.errors import ApiError, GroundworkError, Unreachable

AT_ONCE = 4
QUEUED = 64
FEW = 3
LONGEST_PAUSE_SECONDS = 60.0
IDLE_SHARE = 20
"""A look may take a twentieth of the time at most; in a large folder looks come less often."""

JOBS = "(jobs)"
"""Stands for a path where something is wrong with none of the files."""

What = Literal["new", "changed", "deleted", "ready", "failed", "waiting", "kept"]


@dataclass(frozen=True)
class Happening:
    """Something that the watch did, or could not do, with one file."""

    what: What
    path: str
    detail: str = ""


@dataclass
class _Known:
    """A document on the server and the file that it was made from."""

    document_id: str
    sha256: str
    mark: Mark | None = None
    """Of the file when its bytes were last compared; None before."""


class FolderWatch:
    """Keeps a collection's documents of one folder: new and changed files are uploaded, those of vanished ones deleted.

    A context manager: leaving it ends the uploads that have not begun and waits for those that have. `happened` is
    called, from the caller's own thread, for each thing that happens.
    """

    def __init__(
        self,
        client: Groundwork,
        collection: str,
        folder: Path,
        *,
        name: str | None = None,
        happened: Callable[[Happening], None],
    ) -> None:
        """`name` tells the folder apart from others that are kept in the collection; by default its whole path does."""
        self._client = client
        self._collection = collection
        self._folder = folder.resolve()
        self.id = hashlib.sha256((name or str(self._folder)).encode()).hexdigest()[:12]
        self._happened = happened
        self._known: dict[str, _Known] = {}
        self._last: Snapshot | None = None
        self._refused: dict[str, Mark] = {}
        self._complaints: dict[str, str] = {}
        self._jobs: dict[str, str] = {}
        self._pause = 0.0
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="watch")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self) -> int:
        """Learn which documents of this folder the server has already; how many."""
        for document in self._client.documents.list(self._collection, q=self.id):
            path = document.metadata.get("path")
            if document.metadata.get("watch") != self.id or not isinstance(path, str) or document.status == "deleting":
                continue
            failed = document.status in ("failed", "cancelled")  # its file deserves another try
            self._known[path] = _Known(document.id, "" if failed else document.sha256)
        return len(self._known)

    def run(self, interval: float, wait: Callable[[float], object]) -> None:
        """Look, then wait for `interval` seconds or longer, until `wait` says it is over; raises what `look` raises."""
        while True:
            began = time.monotonic()
            now = snapshots.take(self._folder)
            taken = time.monotonic() - began
            self.look(now)
            if wait(max(interval, taken * IDLE_SHARE, self._pause)):
                return

    def look(self, now: Snapshot | None = None) -> None:
        """Do all that has to be done for the folder as it is now.

        A file counts once two looks in a row have found it the same, and as gone once two have missed it: what is being
        written or replaced is left alone. One file's failure harms no other; raises `ApiError` where the key may not do
        this or the collection is gone.
        """
        now = now or snapshots.take(self._folder)
        self._pause = 0.0
        if not now.files and self._known:
            self._complain(".", "kept", "the folder has no files or is not there; its documents are kept until it has")
        else:
            self._complaints.pop(".", None)
            self._upload(now)
            self._delete(now)
        self._last = now
        self._follow_jobs()

    def document_id(self, path: str) -> str:
        """The document of a file: the folder, the file's name for people, and a digest of its path below the folder."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", PurePosixPath(path).name)[-100:]
        return f"{self.id}-{name}-{hashlib.sha256(path.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"

    def _upload(self, now: Snapshot) -> None:
        before = self._last.files if self._last is not None else {}
        settled = (path for path, mark in now.files.items() if before.get(path) == mark)
        for paths in _groups(path for path in settled if self._differs(path, now.files[path])):
            sending = {self._pool.submit(self._send, path, now.files[path]): path for path in paths}
            for sent in as_completed(sending):
                path = sending[sent]
                try:
                    self._take(path, now.files[path], *sent.result())
                except (GroundworkError, OSError) as error:
                    self._fail(path, now.files[path], error)

    def _differs(self, path: str, mark: Mark) -> bool:
        known = self._known.get(path)
        return self._refused.get(path) != mark and (known is None or known.mark != mark)

    def _send(self, path: str, mark: Mark) -> tuple[str, Accepted | None]:
        """The digest of a file and, where its bytes are not the server's, the answer to its upload."""
        file = self._folder / path
        check_name(path)
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        known = self._known.get(path)
        if known is not None and known.sha256 == digest:
            return digest, None
        metadata = {"watch": self.id, "path": path, "folder": file.parent.name}
        return digest, self._client.documents.upload(
            self._collection, file, metadata=metadata, document_id=self.document_id(path)
        )

    def _take(self, path: str, mark: Mark, digest: str, accepted: Accepted | None) -> None:
        self._complaints.pop(path, None)
        if accepted is None:
            self._known[path].mark = mark
            return
        known = path in self._known
        self._known[path] = _Known(accepted.document.id, accepted.document.sha256, mark)
        self._refused.pop(path, None)
        if accepted.job is not None:
            self._jobs[accepted.job.id] = path
        if accepted.unchanged and accepted.document.status == "failed":
            error = accepted.document.error
            self._say("failed", path, f"{error.message} [{error.code}]" if error else "")
        elif not accepted.unchanged:
            self._say("changed" if known else "new", path, f"revision {accepted.document.revision}" if known else "")

    def _delete(self, now: Snapshot) -> None:
        before = self._last
        if before is None:
            return
        for path in [path for path in self._known if path not in now.files and path not in before.files]:
            if now.unknown(path) or before.unknown(path):
                continue
            try:
                self._client.documents.delete(self._collection, self._known[path].document_id)
            except ApiError as error:
                if error.code != "document_not_found":
                    self._fail(path, None, error)
                    continue
            except GroundworkError as error:
                self._fail(path, None, error)
                continue
            del self._known[path]
            self._complaints.pop(path, None)
            self._say("deleted", path)

    def _fail(self, path: str, mark: Mark | None, error: Exception) -> None:
        """Try again later what may go better then; leave alone, until it changes, a file that the server refuses."""
        if isinstance(error, FileNotFoundError):
            return  # the next looks see that it is gone
        if isinstance(error, ApiError) and (error.status in (401, 403) or error.code == "collection_not_found"):
            raise error
        busy = isinstance(error, ApiError) and (error.status in (409, 429) or error.status >= 500)
        if isinstance(error, Unreachable) or busy or mark is None:
            asked = getattr(error, "retry_after", None) or 5.0
            self._pause = min(max(self._pause, asked), LONGEST_PAUSE_SECONDS)
            self._complain(path, "waiting", str(error))
            return
        self._refused[path] = mark
        self._say("failed", path, str(error))

    def _follow_jobs(self) -> None:
        """Tell how jobs ended: one call for a hundred of them, and a few by themselves."""
        try:
            for job in self._looked_up():
                if job.status in FINAL_JOB_STATUSES and (path := self._jobs.pop(job.id, None)) is not None:
                    self._end(path, job)
        except GroundworkError as error:
            self._complain(JOBS, "waiting", str(error))
        else:
            self._complaints.pop(JOBS, None)

    def _looked_up(self) -> Iterator[Job]:
        if len(self._jobs) > FEW:
            yield from islice(self._client.jobs.list(collection=self._collection), 100)
        for job_id in list(self._jobs)[:FEW]:
            try:
                yield self._client.jobs.get(job_id)
            except ApiError as error:
                if error.status != 404:
                    raise
                del self._jobs[job_id]

    def _end(self, path: str, job: Job) -> None:
        if job.status == "ready":
            self._say("ready", path)
        elif job.status == "failed":
            self._say("failed", path, f"{job.error.message} [{job.error.code}]" if job.error else "")

    def _complain(self, path: str, what: What, detail: str) -> None:
        """Say it once, not at each look."""
        if self._complaints.get(path) != detail:
            self._complaints[path] = detail
            self._say(what, path, detail)

    def _say(self, what: What, path: str, detail: str = "") -> None:
        self._happened(Happening(what, path, detail))


def _groups(paths: Iterable[str]) -> Iterator[list[str]]:
    """A bounded number at a time."""
    remaining = iter(list(paths))
    while group := list(islice(remaining, QUEUED)):
        yield group
