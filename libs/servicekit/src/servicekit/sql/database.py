"""SQL through SQLAlchemy's async core: SQLite by default, PostgreSQL by URL.

A change of state is one conditional `UPDATE … RETURNING`, never read-then-write. Writing transactions on SQLite
begin with `BEGIN IMMEDIATE`, so that they wait for one another instead of failing at the first write.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr
from sqlalchemy import (
    Connection,
    Dialect,
    Double,
    Engine,
    Executable,
    RowMapping,
    Select,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.types import TypeDecorator

from servicekit.core.errors import InvalidRequest
from servicekit.sql.sqlite_driver import BEGIN_WRITING, BUSY_SECONDS, PatientConnection, opener

WRITE = "groundwork_write"
READERS = 4
FIRST_SECOND, LAST_SECOND = -62_135_596_800.0, 253_402_300_799.0
"""Of the years 1 to 9999."""
NO_SUCH_CHARACTER = "22021"
"""SQLSTATE of a text that PostgreSQL's encoding does not have."""
SCRUB_TRIES = 10
"""Each waits for readers as long as a writer does."""
T = TypeVar("T")
Change = tuple[Executable, Sequence[Mapping[str, Any]]]
"""A statement, and the rows that it is executed with."""


class UnkeptText(InvalidRequest):
    """A text can't be kept or looked for: no encoding has half a surrogate pair, and PostgreSQL has no NUL."""

    code = "invalid_text"

    def __init__(self) -> None:
        super().__init__("A text has a NUL (\\0) or half a surrogate pair in it. Send whole characters.")


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime kept as seconds since the epoch: the same order and precision in every database."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> float | None:
        """To the database."""
        return None if value is None else value.timestamp()

    def process_result_value(self, value: float | None, dialect: Dialect) -> datetime | None:
        """From the database; what is beyond all years is the last or the first moment of them."""
        return None if value is None else datetime.fromtimestamp(min(max(value, FIRST_SECOND), LAST_SECOND), UTC)


class Database:
    """One service's database."""

    def __init__(
        self,
        engine: AsyncEngine,
        reading: Engine | None = None,
        writing: Engine | None = None,
        at_once: Engine | None = None,
        snapshots: AsyncEngine | None = None,
    ) -> None:
        """`reading`, `writing`, `at_once` and `snapshots`, if given, open the same SQLite file for `fetch`, `apply`,
        `look` and `snapshot`.
        """
        self.engine = engine
        self._snapshots = snapshots or engine
        self._reading = reading
        self._at_once = at_once
        self._writing = writing
        self._turn = asyncio.Lock()
        self._readers = ThreadPoolExecutor(READERS, "sql-read")
        self._writer = ThreadPoolExecutor(1, "sql-write")

    @classmethod
    def open(cls, url: SecretStr | None, data_dir: Path, name: str) -> Database:
        """The database at `url`, or SQLite in `data_dir/<name>.sqlite` when there is none."""
        if url is not None:
            return cls(create_async_engine(url.get_secret_value(), pool_pre_ping=True, pool_size=10))
        data_dir.mkdir(parents=True, exist_ok=True)
        path = data_dir / f"{name}.sqlite"
        address = f"sqlite+aiosqlite:///{path}"
        engine = create_async_engine(address, async_creator=opener(path), pool_size=8, max_overflow=8)
        snapshots = create_async_engine(address, poolclass=NullPool)
        for asynchronous in (engine, snapshots):
            event.listen(asynchronous.sync_engine, "connect", _prepare_sqlite)
            event.listen(asynchronous.sync_engine, "begin", _begin_sqlite)
        file = f"sqlite:///{path}"
        reading = create_engine(file, pool_size=READERS, max_overflow=0, isolation_level="AUTOCOMMIT")
        event.listen(reading, "connect", partial(_prepare_reading, BUSY_SECONDS))
        at_once = create_engine(file, pool_size=1, max_overflow=0, isolation_level="AUTOCOMMIT")
        event.listen(at_once, "connect", partial(_prepare_reading, 0))
        writing = create_engine(file, pool_size=1, max_overflow=0, connect_args={"factory": PatientConnection})
        event.listen(writing, "connect", _prepare_sqlite)
        event.listen(writing, "begin", _begin_sqlite)
        return cls(engine, reading, writing.execution_options(**{WRITE: True}), at_once, snapshots)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database, which serves one host."""
        return self.engine.dialect.name == "sqlite"

    @property
    def sqlite_file(self) -> Path | None:
        """The file of an embedded database."""
        database = make_url(str(self.engine.url)).database
        return Path(database) if self.is_sqlite and database else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads; raises `UnkeptText`."""
        with _text_that_can_be_kept():
            async with self.engine.connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A transaction whose every read sees the one moment at which the block began, however long it lasts.

        What is streamed in it is read as it is taken, however large the table: elsewhere SQLite reads a result whole.
        """
        async with self._snapshots.connect() as connection:
            if not self.is_sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                await connection.execute(text("SELECT count(*) FROM alembic_version"))  # the view begins at a read
                yield connection

    async def fetch(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """The rows of one statement, which sees one moment: for reads that a caller waits for. Build the statement once
        and give it `values`: building it costs more than running it.

        On SQLite it runs in a thread at once, 0.1 ms; aiosqlite takes six hops between threads, 0.7 ms (measured).
        """
        rows: Sequence[RowMapping]
        if self._reading is None:
            async with self.read() as connection:
                rows = (await connection.execute(query, values)).mappings().all()
        else:
            loop = asyncio.get_running_loop()
            with _text_that_can_be_kept():
                rows = await loop.run_in_executor(self._readers, _fetch, self._reading, query, values)
        return rows

    async def look(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """What `fetch` gives, for a few rows found by an index: on SQLite read where it is called, 0.1 ms.

        A reader waits for no writer (where it has to after all, `fetch` does). In a thread each step waits for the
        interpreter lock first, which takes milliseconds while others compute (measured).
        """
        if self._at_once is None:
            return await self.fetch(query, values)
        try:
            with _text_that_can_be_kept():
                return _fetch(self._at_once, query, values)
        except OperationalError:
            return await self.fetch(query, values)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes; committed when the block ends without an error. Raises `UnkeptText`."""
        with _text_that_can_be_kept():
            async with self._write() as connection:
                yield connection

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        async with self._in_turn(), self.engine.connect() as connection:
            await connection.execution_options(**{WRITE: True})
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        """On SQLite one writer of this process at a time, first come, first served.

        When each of them waited for the file by itself, whoever came last could be served first: of 300 small jobs in
        four slots one in a hundred took 1 s, where half took 0.07 (measured). Other processes are waited for behind it.
        """
        if not self.is_sqlite:
            yield
            return
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise PoolTimeout(f"No turn to write within {BUSY_SECONDS} s.") from None
        try:
            yield
        finally:
            self._turn.release()

    async def apply(self, changes: Sequence[Change]) -> None:
        """Statements with the rows of each, in one writing transaction: for groups that are written all the time. Build
        the statements once.
        """
        await self.transact(partial(_apply, changes))

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, run in one writing transaction: committed when it returns, undone when it raises.

        On SQLite it runs in a thread at once, as `fetch` does, and is not broken off: a caller that is cancelled waits
        until it has ended, `BUSY_SECONDS` at most for other writers, and does not learn whether it committed.
        """
        if self._writing is None:
            async with self._write() as connection:
                return await connection.run_sync(work)
        async with self._in_turn():
            running = asyncio.get_running_loop().run_in_executor(self._writer, _transact, self._writing, work)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                await asyncio.wait({running})
                raise

    async def scrub(self) -> None:
        """Let what was deleted leave the disk. SQLite zeroes what is freed, and this empties the write-ahead log, which
        still holds it as it was. On PostgreSQL vacuuming does it, in its own time.
        """
        file = self.sqlite_file
        if file is None:
            return
        for _ in range(SCRUB_TRIES):
            if await asyncio.to_thread(_emptied, file):
                return

    async def probe(self) -> None:
        """Raise unless the database answers."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
        self._readers.shutdown()
        self._writer.shutdown()
        if self._writing is not None:
            self._writing.dispose()
        for reading in (self._reading, self._at_once):
            if reading is not None:
                reading.dispose()


@contextmanager
def _text_that_can_be_kept() -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError:
        raise UnkeptText from None
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != NO_SUCH_CHARACTER:
            raise
        raise UnkeptText from None


def _emptied(file: Path) -> bool:
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return not busy


def _fetch(engine: Engine, query: Select[Any], values: Mapping[str, Any] | None) -> Sequence[RowMapping]:
    with engine.connect() as connection:
        return connection.execute(query, values).mappings().all()


def _transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _apply(changes: Sequence[Change], connection: Connection) -> None:
    for statement, rows in changes:
        connection.execute(statement, [dict(row) for row in rows])


def _prepare_reading(wait_seconds: int, connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={wait_seconds * 1000}", "query_only=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite
    cursor = connection.cursor()
    settings = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON")
    for pragma in (*settings, f"busy_timeout={BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(BEGIN_WRITING if connection.get_execution_options().get(WRITE) else "BEGIN")
