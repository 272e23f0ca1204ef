"""Writes records beside usage, in its commits: bounded in memory, waited for by no answer, and lost before usage is."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections import deque
from collections.abc import Collection

import structlog

from gateway.metrics import RECORDS, RECORDS_HELD, RECORDS_PAUSED
from gateway.records.content import Row, rows_of
from gateway.records.deleted_documents import without_deleted
from gateway.records.recording import Recording
from gateway.storage.dialects import insert_if_missing
from gateway.storage.tables import record_documents, record_measures, records
from gateway.usage.ledger import UsageLedger
from servicekit.core.errors import is_disk_full
from servicekit.core.probes import Degraded
from servicekit.sql.database import Change, Database, UnstorableText
from servicekit.web.json_bodies import off_loop

log = structlog.get_logger(__name__)
GATHER_SECONDS = 0.2
"""How long the first record of a group waits for company: a row of a hundred costs a sixth of one of ten."""
GROUP_RECORDS, GROUP_BYTES = 100, 1024 * 1024
"""Of one commit: a reservation, for which a call waits, may be in the same one."""
TURN_RECORDS = 4
"""Made in a turn of the event loop: a turn for each costs as much as a fifth of a record."""
PAUSE_SECONDS = 5.0
"""How long nothing is recorded after a write that failed."""
TRIES = 3
CLOSE_SECONDS = 10.0
FULL = "the disk is full"
_Made = tuple[Recording, Row, list[Row], Row]
"""A recording, its row, those of its documents, and that of its measures."""


class RecordWriter:
    """Start it with `open`, end it with `close`, before the ledger's."""

    def __init__(self, database: Database, ledger: UsageLedger, memory_bytes: int, free_bytes: int) -> None:
        """`free_bytes`: of the disk, that records leave to all else; known of an embedded database only."""
        self._database = database
        self._ledger = ledger
        self._memory_bytes = memory_bytes
        self._free_bytes = free_bytes
        self._held = 0
        self._waiting: deque[Recording] = deque()
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._paused_until = 0.0
        self._fault = ""
        RECORDS_PAUSED.set_function(lambda: float(self._is_paused))
        dialect = database.dialect.name
        self._add_records = insert_if_missing(dialect, records)
        self._add_documents = insert_if_missing(dialect, record_documents)
        self._add_measures = insert_if_missing(dialect, record_measures)

    def hold(self, size: int) -> bool:
        """Whether there is memory for so many bytes more."""
        if self._held + size > self._memory_bytes:
            RECORDS.labels("no_memory").inc()
            return False
        self._held += size
        return True

    def release(self, size: int) -> None:
        """So many bytes are free again."""
        self._held -= size
        RECORDS_HELD.set(self._held)

    def submit(self, recording: Recording) -> None:
        """Write it soon; while records are paused it is counted as lost."""
        if self._is_paused:
            self._lose([recording], "paused")
            return
        self._waiting.append(recording)
        self._idle.clear()
        self._wanted.set()

    def open(self) -> None:
        """Start writing."""
        self._task = asyncio.create_task(self._write_groups())

    async def all_written(self) -> None:
        """Wait until every record that was submitted so far is committed or lost."""
        await self._idle.wait()

    async def close(self) -> None:
        """Write what waits, for at most `CLOSE_SECONDS`."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.all_written()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._lose(self._waiting, "closed")

    async def probe(self) -> None:
        """Raise `Degraded` while answers leave no records."""
        if self._is_paused:
            fault = FULL if self._ledger.is_full else self._fault
            raise Degraded(f"{fault}; answers go on, and leave no records until it is over")

    @property
    def _is_paused(self) -> bool:
        """While the ledger is full a group would wait in its queue, and tell nobody."""
        return self._ledger.is_full or time.monotonic() < self._paused_until

    async def _write_groups(self) -> None:
        while True:
            await self._wanted.wait()
            await asyncio.sleep(GATHER_SECONDS)
            while group := self._next_group():
                await self._write(group)
            self._wanted.clear()
            self._idle.set()

    def _next_group(self) -> list[Recording]:
        group: list[Recording] = []
        size = 0
        while self._waiting and len(group) < GROUP_RECORDS and size < GROUP_BYTES:
            group.append(self._waiting.popleft())
            size += group[-1].size
        RECORDS_HELD.set(self._held)
        return group

    async def _write(self, group: list[Recording]) -> None:
        try:
            if await asyncio.to_thread(self._disk_is_low):
                self._pause("the disk is nearly full", "no_room", group)
                return
        except OSError as error:
            self._fail(error, group)
            return
        made: list[_Made] = []
        for number, recording in enumerate(group, 1):
            if (one := await self._made(recording)) is not None:
                made.append(one)
            if number % TURN_RECORDS == 0:
                await asyncio.sleep(0)
        await self._write_made(made)

    async def _made(self, recording: Recording) -> _Made | None:
        """A small one is made here and now: a thread would keep the event loop from its turns for longer."""
        usage = recording.usage
        if usage is None or usage.tenant in self._ledger.deleted_tenants:
            self.release(recording.size)
            return None
        try:
            row, documents, measures = await off_loop(recording.size, rows_of, recording)
        except Exception:  # one answer that can't be read must not cost the others' records
            log.exception("an answer can't be recorded", call=usage.id)
            self._lose([recording], "failed")
            return None
        return recording, row, documents, measures

    async def _write_made(self, made: list[_Made]) -> None:
        group = [one[0] for one in made]
        error = await self._put(made) if made else None
        if error is None:
            RECORDS.labels("written").inc(len(group))
            self.release(sum(recording.size for recording in group))
        elif not isinstance(error, UnstorableText):
            self._fail(error, group)
        elif len(made) == 1:
            log.error("an answer can't be recorded", call=made[0][1]["call_id"], error=repr(error)[:300])
            self._lose(group, "failed")
        else:
            await self._write_each(made)

    async def _write_each(self, made: list[_Made]) -> None:
        """One at a time: a text that the database refuses is in one of them, and is no reason to pause."""
        for number, one in enumerate(made):
            if self._is_paused:
                self._lose([other[0] for other in made[number:]], "paused")
                return
            await self._write_made([one])

    async def _put(self, made: list[_Made]) -> Exception | None:
        """Why they could not be written, also when they were tried again."""
        changes: list[Change] = [(self._add_records, [one[1] for one in made])]
        changes.append((self._add_measures, [one[3] for one in made]))
        if documents := [document for one in made for document in one[2]]:
            changes.append((self._add_documents, documents))
            changes.append(without_deleted({document["record_id"] for document in documents}))
        tries = 1
        while (error := await self._ledger.write_beside(changes)) is not None and tries < TRIES:
            if is_disk_full(error) or isinstance(error, UnstorableText):
                break
            await asyncio.sleep(tries)
            tries += 1
        return error

    def _disk_is_low(self) -> bool:
        file = self._database.sqlite_file
        return file is not None and shutil.disk_usage(file.parent).free < self._free_bytes

    def _fail(self, error: Exception, group: list[Recording]) -> None:
        log.error("records not written", records=len(group), error=repr(error)[:300])
        full = is_disk_full(error)
        fault = FULL if full else "records could not be written; see the gateway's log"
        self._pause(fault, "no_room" if full else "failed", group)

    def _pause(self, fault: str, outcome: str, group: list[Recording]) -> None:
        log.error("answers leave no records", reason=fault, seconds=PAUSE_SECONDS)
        self._fault, self._paused_until = fault, time.monotonic() + PAUSE_SECONDS
        self._lose(group, outcome)

    def _lose(self, lost: Collection[Recording], outcome: str) -> None:
        RECORDS.labels(outcome).inc(len(lost))
        self.release(sum(recording.size for recording in lost))
