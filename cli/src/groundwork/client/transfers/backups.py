"""A whole collection as one file: `back_up` writes it, `restore` puts it back, here or in another home.

The file is a ZIP of `collection.json` (how the collection was made) and one archive a document, as the server gives it.
Each document is whole and of one revision; a document that changes while others are written is as it was when its turn
came. A file appears under its name only when it is complete.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import threading
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from contracts.documents.jobs import Accepted
from contracts.retrieval.collections import CollectionCreate
from groundwork.client.groundwork import Groundwork
from groundwork.client.transfers.bulk import UPLOADS_AT_ONCE, send_with_retries
from groundwork.errors import ApiError, BackupDamaged, BackupExists, GroundworkError

FORMAT = "groundwork-collection/1"
HEAD = "collection.json"
IN_MEMORY = 4 * 1024 * 1024
PIECE = 256 * 1024
AHEAD = 256
"""Documents that are sent while the first of them is waited for."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, UnicodeDecodeError, json.JSONDecodeError, RuntimeError)
"""What a ZIP or JSON that is not what it says raises; `RuntimeError` for a password or endless nesting."""
Changed = Callable[[int, int], None]
"""Called with the number of documents that are done, and of all."""


@dataclass
class BackedUp:
    """What a backup holds."""

    documents: int = 0
    bytes: int = 0
    unfinished: list[str] = field(default_factory=list)
    """Documents whose newest revision was not ready: the backup has the one before, or the bytes alone."""


@dataclass
class Restored:
    """What became of a backup's documents, by id."""

    ready: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Why, in one sentence."""


def back_up(client: Groundwork, collection: str, file: Path, *, changed: Changed | None = None) -> BackedUp:
    """Write all of a collection to a new `file`. Raises `BackupExists`, `ApiError`, or `OSError`."""
    head = client.collections.get(collection)
    documents = [(each.id, each.status == "ready") for each in client.documents.list(collection)]
    done = BackedUp()
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}.unfinished")  # of this call alone
    if file.exists():
        raise BackupExists(file)
    try:
        with unfinished.open("xb") as stream:
            with zipfile.ZipFile(stream, "w") as backup:
                made = CollectionCreate.model_validate(head.model_dump(include=set(CollectionCreate.model_fields)))
                about = {"format": FORMAT, "documents": len(documents), "collection": made.model_dump(mode="json")}
                backup.writestr(HEAD, json.dumps(about, indent=2))
                for number, (document_id, is_ready) in enumerate(documents, 1):
                    _add(client, collection, backup, document_id, done, is_ready=is_ready)
                    if changed is not None:
                        changed(number, len(documents))
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.rename(file)
    finally:
        unfinished.unlink(missing_ok=True)
    done.bytes = file.stat().st_size
    return done


def restore(
    client: Groundwork, file: Path, *, collection: str | None = None, timeout: float, changed: Changed | None = None
) -> Restored:
    """Put a backup's documents into a collection (made like the backed up one if it is not there) and wait for them.

    Documents that are there with the same bytes stay; one with other bytes is a failure and stays as it is. So the call
    can be repeated. Raises `BackupDamaged` or `ApiError`.
    """
    try:
        with zipfile.ZipFile(file) as backup:
            made = _head(backup)
            name = collection or made.name
            _ensure(client, made.model_copy(update={"name": name}))
            names = [each for each in backup.namelist() if each != HEAD]
            return _restore_all(client, name, backup, names, timeout, changed)
    except _DAMAGE as error:
        raise BackupDamaged(file, str(error)) from None


def _add(
    client: Groundwork, collection: str, backup: zipfile.ZipFile, document_id: str, done: BackedUp, *, is_ready: bool
) -> None:
    """A document that was deleted meanwhile is left out."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as archive:
        try:
            client.documents.back_up(collection, document_id, archive)
        except ApiError as error:
            if error.status != 404:
                raise
            return
        archive.seek(0)
        with backup.open(f"documents/{document_id}.zip", "w", force_zip64=True) as member:
            while piece := archive.read(PIECE):
                member.write(piece)
    done.documents += 1
    if not is_ready:
        done.unfinished.append(document_id)


def _head(backup: zipfile.ZipFile) -> CollectionCreate:
    try:
        about: Any = json.loads(backup.read(HEAD))
    except ValueError as error:  # a number with too many digits is one, too
        raise KeyError(f"{HEAD} is not JSON: {error}") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise KeyError(f"{HEAD} does not say '{FORMAT}'")
    try:
        return CollectionCreate.model_validate(about.get("collection"))
    except ValidationError as error:
        raise KeyError(f"{HEAD} describes no collection: {error.errors()[0]['msg']}") from None


def _ensure(client: Groundwork, wanted: CollectionCreate) -> None:
    """Make the collection if it is not there; where its embedding model is not known, with the default one."""
    try:
        client.collections.get(wanted.name)
    except ApiError as error:
        if error.status != 404:
            raise
        try:
            client.collections.make(wanted)
        except ApiError as refused:
            if refused.code != "embedding_model_unknown":
                raise
            client.collections.make(wanted.model_copy(update={"embedding_model": "default"}))


def _restore_all(
    client: Groundwork,
    collection: str,
    backup: zipfile.ZipFile,
    names: list[str],
    timeout: float,
    changed: Changed | None,
) -> Restored:
    """Send all, some at once, then wait for each in this thread, which Ctrl-C ends at once; the jobs go on."""
    result, pause = Restored(), threading.Event()

    def send(name: str) -> Accepted | GroundworkError:
        try:
            return send_with_retries(lambda: _send(client, collection, backup, name), pause)
        except GroundworkError as error:
            return error

    with ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="restore") as pool:
        try:
            under_way: deque[Future[Accepted | GroundworkError]] = deque()
            left = iter(names)
            for number, name in enumerate(names, start=1):
                under_way.extend(pool.submit(send, each) for each in islice(left, AHEAD - len(under_way)))
                document_id = name.removeprefix("documents/").removesuffix(".zip")
                _settle(client, document_id, under_way.popleft().result(), timeout, result)
                if changed is not None:
                    changed(number, len(names))
        except BaseException:
            pause.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return result


def _settle(
    client: Groundwork, document_id: str, sent: Accepted | GroundworkError, timeout: float, result: Restored
) -> None:
    """Wait for one document's job and note what became of it."""
    try:
        if isinstance(sent, GroundworkError):
            raise sent
        if sent.job is not None:
            client.jobs.wait(sent.job.id, timeout=timeout)
        (result.unchanged if sent.unchanged else result.ready).append(document_id)
    except GroundworkError as error:
        result.failed[document_id] = str(error)


def _send(client: Groundwork, collection: str, backup: zipfile.ZipFile, name: str) -> Accepted:
    with backup.open(name) as member:
        return client.documents.restore(collection, _pieces(member))


def _pieces(member: IO[bytes]) -> Iterator[bytes]:
    while piece := member.read(PIECE):
        yield piece
