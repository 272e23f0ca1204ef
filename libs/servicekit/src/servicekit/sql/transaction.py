"""A transaction that stays open while its caller awaits other things: each call of it is a hop to the database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, TypeVarTuple, cast, overload

from sqlalchemy import (
    Connection,
    CursorResult,
    Dialect,
    Executable,
    MappingResult,
    RowMapping,
    SelectBase,
    column,
    text,
)
from sqlalchemy.sql.selectable import TypedReturnsRows

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")
_NUMBERS = count()
"""Of cursors: another one's statements, which a driver prepares, are of other columns."""
Values = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
"""Parameters of a statement, or of each of its executions."""


class Hop(Protocol):
    """Runs a function on a transaction's connection, where that may be used."""

    def __call__(self, work: Callable[[Connection], T], /) -> Awaitable[T]:
        """What the function returns."""
        ...


class Store(Protocol):
    """An engine's way to run transactions: `SqliteFile` or `PostgresServer`."""

    path: Path | None
    """Of an embedded database."""
    dialect: Dialect

    async def read(self, work: Callable[[Connection], T], *, at_once: bool) -> T:
        """Run a function in one transaction that only reads; `at_once` where it is called, if that can be."""
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in one writing transaction."""
        ...

    def reading(self, *, sees_one_moment: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """A reading transaction over awaits, each of whose reads sees the same if asked to."""
        ...

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """A writing transaction over awaits; committed when the block ends without an error."""
        ...

    async def clean(self) -> None:
        """Let what was deleted leave the disk."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Transaction:
    """One transaction of SQLite or PostgreSQL. A function is one hop, however many statements it executes."""

    def __init__(self, hop: Hop, dialect: Dialect) -> None:
        self._hop = hop
        self.dialect = dialect

    async def run(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        """What `work` returns, given the connection and these arguments; what it reads must be read within it."""
        return await self._hop(lambda connection: work(connection, *args, **options))

    @overload
    async def execute(self, statement: TypedReturnsRows[*Ts], values: Values = None) -> CursorResult[*Ts]: ...

    @overload
    async def execute(self, statement: Executable, values: Values = None) -> CursorResult[*tuple[Any, ...]]: ...

    async def execute(self, statement: Executable, values: Values = None) -> CursorResult[*tuple[Any, ...]]:
        """Execute one statement; its rows are read whole."""
        return await self._hop(partial(_executed, statement=statement, values=values))

    async def batches(self, query: Executable, size: int) -> AsyncGenerator[Sequence[RowMapping]]:
        """The rows of a query, so many at once, read as they are taken."""
        if self.dialect.name == "postgresql" and isinstance(query, SelectBase):
            cursor = await self._hop(partial(_Cursor, query=query))
            while rows := await self._hop(partial(cursor.fetch, size=size)):
                yield rows
            return
        result = await self._hop(partial(_streamed, query=query, size=size))
        try:
            while rows := await self._hop(lambda _: result.fetchmany(size)):
                yield rows
        finally:
            await self._hop(lambda _: result.close())


class _Cursor:
    """A query's rows as they are fetched, no more than are asked for: asyncpg's own way to stream reads 50 at least,
    which took 230 MB for rows of 4 MB. It ends with its transaction."""

    def __init__(self, connection: Connection, query: SelectBase) -> None:
        self._name = f"rows_{next(_NUMBERS)}"
        self._columns = [column(str(one.key), one.type) for one in query.selected_columns]
        given = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        connection.exec_driver_sql(f"DECLARE {self._name} NO SCROLL CURSOR FOR {given}")

    def fetch(self, connection: Connection, size: int) -> Sequence[RowMapping]:
        """The next rows; none at the end."""
        fetched = text(f"FETCH {size} FROM {self._name}").columns(*self._columns)
        return connection.execute(fetched).mappings().fetchall()


def _executed(connection: Connection, statement: Executable, values: Values) -> CursorResult[Any]:
    result = connection.execute(statement, values)
    return cast("CursorResult[Any]", result.freeze()()) if result.returns_rows else result


def _streamed(connection: Connection, query: Executable, size: int) -> MappingResult:
    return connection.execute(query, execution_options={"stream_results": True, "max_row_buffer": size}).mappings()
