"""SQLite: synchronous connections used in threads, a transaction at a time each.

A read is one hop to a thread, 0.1 ms. A driver that hops for each step of a statement took 0.7 ms, and while other
threads compute, each hop waits for the interpreter lock (measured).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from servicekit.sql.transaction import Transaction

BUSY_SECONDS = 15
LOOK_SECONDS = 0.001
READERS = 4
"""Threads that read."""
BEGIN_WRITING = "BEGIN IMMEDIATE"
CHECKPOINT_TRIES = 10
"""Each waits for readers as long as a writer does."""
T = TypeVar("T")


class SqliteFile:
    """One file: any number of readers, and the one writer that SQLite allows."""

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        self._file = path
        address = f"sqlite:///{path}"
        self._reading = create_engine(address, pool_size=READERS, max_overflow=-1, isolation_level="AUTOCOMMIT")
        event.listen(self._reading, "connect", _prepare_reader)
        self._writing = create_engine(address, pool_size=1, max_overflow=0)
        event.listen(self._writing, "connect", _prepare_writer)
        event.listen(self._writing, "begin", _begin_writing)
        self._readers = ThreadPoolExecutor(READERS, "sql-read")
        self._writer = ThreadPoolExecutor(1, "sql-write")
        self._turn = asyncio.Lock()
        self.dialect = self._reading.dialect

    async def read(self, work: Callable[[Connection], T], *, at_once: bool) -> T:
        """Run a function that reads, in a thread, or here unless it would have to wait; each of its statements sees
        one moment.
        """
        run = _read
        if at_once:
            try:
                return _read_now(self._reading, work)
            except OperationalError:
                run = _read_patiently  # what else is wrong than a locked file is raised there
        return await asyncio.get_running_loop().run_in_executor(self._readers, run, self._reading, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in one writing transaction, in a thread. It is not broken off: a caller that is cancelled
        waits until it has ended, and does not learn whether it committed.
        """
        async with self._in_turn():
            return await _whole(self._writer, _transact, self._writing, work)

    @asynccontextmanager
    async def reading(self, *, sees_one_moment: bool = False) -> AsyncIterator[Transaction]:
        """A reading transaction over awaits; all of it sees one moment anyway."""
        async with self._opened(_begin_reading, self._reading, self._readers) as transaction:
            yield transaction

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        """A writing transaction over awaits; committed when the block ends without an error."""
        async with self._in_turn(), self._opened(_begin, self._writing, self._writer) as transaction:
            yield transaction

    async def clean(self) -> None:
        """Let what was deleted leave the disk. SQLite zeroes what is freed, and this empties the write-ahead log, which
        still holds it as it was.
        """
        for _ in range(CHECKPOINT_TRIES):
            if await asyncio.to_thread(_checkpoint, self._file):
                return

    async def close(self) -> None:
        """Close all connections."""
        self._readers.shutdown()
        self._writer.shutdown()
        self._reading.dispose()
        self._writing.dispose()

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        """One writer of this process at a time, first come, first served.

        When each of them waited for the file by itself, whoever came last could be served first: of 300 small jobs in
        four slots one in a hundred took 1 s, where half took 0.07 (measured). Other processes are waited for behind it.
        """
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise PoolTimeout(f"No turn to write within {BUSY_SECONDS} s.") from None
        try:
            yield
        finally:
            self._turn.release()

    @asynccontextmanager
    async def _opened(
        self, begin: Callable[[Engine, list[Connection]], None], engine: Engine, threads: ThreadPoolExecutor
    ) -> AsyncIterator[Transaction]:
        connections: list[Connection] = []

        async def hop(work: Callable[[Connection], T]) -> T:
            return await _whole(threads, work, connections[0])

        is_whole = False
        try:
            await _whole(threads, begin, engine, connections)
            yield Transaction(hop, self.dialect)
            is_whole = True
        finally:
            if connections:
                await _whole(threads, _end, connections[0], is_whole)


async def _whole(threads: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:
    """What `work` returns in a thread; a caller that is cancelled, however often, waits until it has ended: what it
    began must not go on in a thread unseen.
    """
    running = asyncio.get_running_loop().run_in_executor(threads, partial(work, *args))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({running})
        raise


def _transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _read(engine: Engine, work: Callable[[Connection], T]) -> T:
    try:
        return _read_now(engine, work)
    except OperationalError:
        return _read_patiently(engine, work)


def _read_now(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.connect() as connection:
        return work(connection)


def _read_patiently(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.connect() as connection:
        _wait_for_others(connection, BUSY_SECONDS)
        try:
            return work(connection)
        finally:
            _wait_for_others(connection, 0)


def _begin(engine: Engine, connections: list[Connection]) -> None:
    connections.append(engine.connect())
    connections[0].begin()


def _begin_reading(engine: Engine, connections: list[Connection]) -> None:
    connections.append(engine.connect())
    _wait_for_others(connections[0], BUSY_SECONDS)
    connections[0].exec_driver_sql("BEGIN")


def _end(connection: Connection, is_whole: bool) -> None:
    with closing(connection):  # which rolls back what is not committed
        if is_whole:
            connection.commit()
        _wait_for_others(connection, 0)  # whoever gets it next may read where it is called; a writer sets its own


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _checkpoint(path: Path) -> bool:
    """Whether the write-ahead log is empty now."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return not busy


def _wait_for_others(connection: Connection, seconds: int) -> None:
    _raw(connection).execute(f"PRAGMA busy_timeout={seconds * 1000}")


def _prepare_reader(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    _prepare(connection, "query_only=ON", "busy_timeout=0")


def _prepare_writer(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_writing
    _prepare(connection, f"busy_timeout={BUSY_SECONDS * 1000}", "journal_mode=WAL", "synchronous=FULL")
    _prepare(connection, "secure_delete=ON", "foreign_keys=ON")


def _prepare(connection: DBAPIConnection, *pragmas: str) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_writing(connection: Connection) -> None:
    """Begin, looking every millisecond whether another process's transaction has left the file free.

    SQLite itself looks at intervals that grow to 100 ms, so a service that writes now and then was kept waiting for
    1.8 s by one that writes all the time (measured).
    """
    raw, given_up = _raw(connection), time.monotonic() + BUSY_SECONDS
    _wait_for_others(connection, 0)
    try:
        while True:
            try:
                raw.execute(BEGIN_WRITING)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > given_up:
                    raise OperationalError(BEGIN_WRITING, None, error) from error
            time.sleep(LOOK_SECONDS)  # noqa: TID251  # nobody tells when the file is free
    finally:
        _wait_for_others(connection, BUSY_SECONDS)
