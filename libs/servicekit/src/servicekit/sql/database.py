"""SQL through SQLAlchemy's core: SQLite by default, PostgreSQL by URL.

`read(work)` and `write(work)` run a function on a synchronous connection, a transaction each. A change of state is one
conditional `UPDATE … RETURNING`, never read-then-write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, overload

from pydantic import SecretStr
from sqlalchemy import Connection, Dialect, Double, Executable, Insert, RowMapping, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeDecorator

from servicekit.core.errors import InvalidRequest
from servicekit.sql.inserts import prepared
from servicekit.sql.sqlite import SqliteFile
from servicekit.sql.transaction import Store, Transaction

FIRST_SECOND, LAST_SECOND = -62_135_596_800.0, 253_402_300_799.0
"""Of the years 1 to 9999."""
NO_SUCH_CHARACTER = "22021"
"""SQLSTATE of a text that PostgreSQL's encoding does not have."""
T = TypeVar("T")
Work = Callable[[Connection], T]
Change = tuple[Executable, Sequence[Mapping[str, Any]]]
"""A statement, and the rows that it is executed with."""


class UnstorableText(InvalidRequest):
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


def rows_of(query: Executable, values: Mapping[str, Any] | None = None) -> Work[Sequence[RowMapping]]:
    """Work that gives the rows of one statement. Build the statement once and give it `values`: building it costs more
    than running it.
    """
    return lambda connection: connection.execute(query, values).mappings().all()


def all_of(changes: Sequence[Change]) -> Work[None]:
    """Work that executes statements with the rows of each, for groups that are written all the time."""

    def carry_out(connection: Connection) -> None:
        for statement, each in changes:
            if isinstance(statement, Insert):
                prepared(statement, connection.dialect, tuple(each[0])).execute(connection, each)
            else:
                connection.execute(statement, [dict(row) for row in each])

    return carry_out


class Database:
    """One service's database. A function is one hop to it; a block, for what awaits other things in between, is a hop a
    statement. What can't be kept raises `UnstorableText`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def open(cls, url: SecretStr | None, data_dir: Path, name: str) -> Database:
        """The database at `url`, or SQLite in `data_dir/<name>.sqlite` when there is none."""
        if url is not None:
            from servicekit.sql.postgres import PostgresServer  # megabytes that SQLite does without

            return cls(PostgresServer(url.get_secret_value()))
        data_dir.mkdir(parents=True, exist_ok=True)
        return cls(SqliteFile(data_dir / f"{name}.sqlite"))

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database, which serves one host."""
        return self._store.path is not None

    @property
    def sqlite_file(self) -> Path | None:
        """The file of an embedded database."""
        return self._store.path

    @property
    def dialect(self) -> Dialect:
        """How SQL is written for it."""
        return self._store.dialect

    @overload
    def read(self) -> AbstractAsyncContextManager[Transaction]: ...

    @overload
    def read(self, work: Work[T], *, at_once: bool = False) -> Coroutine[Any, Any, T]: ...

    def read(
        self, work: Work[T] | None = None, *, at_once: bool = False
    ) -> Coroutine[Any, Any, T] | AbstractAsyncContextManager[Transaction]:
        """What `work` returns, or a block, in a transaction that only reads.

        `at_once`, for a few rows found by an index: on SQLite read where it is called. A reader waits for no writer
        (where it has to after all, it does so in a thread). In a thread each step waits for the interpreter lock first,
        which takes milliseconds while others compute (measured).
        """
        return (
            self._block(self._store.reading())
            if work is None
            else self._guarded(partial(self._store.read, work, at_once=at_once))
        )

    @overload
    def write(self) -> AbstractAsyncContextManager[Transaction]: ...

    @overload
    def write(self, work: Work[T]) -> Coroutine[Any, Any, T]: ...

    def write(self, work: Work[T] | None = None) -> Coroutine[Any, Any, T] | AbstractAsyncContextManager[Transaction]:
        """What `work` returns, or a block, in a transaction that writes: committed when it ends without an error.

        On SQLite `work` is not broken off: a caller that is cancelled waits until it has ended, `BUSY_SECONDS` at most
        for other writers, and does not learn whether it committed.
        """
        return self._block(self._store.writing()) if work is None else self._guarded(partial(self._store.write, work))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        """A block that reads, and whose every read sees the one moment at which it began, however long it lasts."""
        async with self._store.reading(sees_one_moment=True) as transaction:
            await transaction.execute(text("SELECT count(*) FROM alembic_version"))  # the view begins at a read
            yield transaction

    async def clean(self) -> None:
        """Let what was deleted leave the disk."""
        await self._store.clean()

    async def probe(self) -> None:
        """Raise unless the database answers."""
        await self.read(lambda connection: connection.execute(text("SELECT 1")).all())

    async def close(self) -> None:
        """Close all connections."""
        await self._store.close()

    async def _guarded(self, run: Callable[[], Awaitable[T]]) -> T:
        try:
            return await run()
        except (UnicodeEncodeError, DBAPIError):
            with _refusing_text():
                raise

    @asynccontextmanager
    async def _block(self, opened: AbstractAsyncContextManager[Transaction]) -> AsyncIterator[Transaction]:
        with _refusing_text():
            async with opened as transaction:
                yield transaction


@contextmanager
def _refusing_text() -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError:
        raise UnstorableText from None
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != NO_SUCH_CHARACTER:
            raise
        raise UnstorableText from None
