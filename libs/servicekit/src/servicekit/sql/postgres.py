"""PostgreSQL by SQLAlchemy's asyncio bridge: functions run on a synchronous connection whose waits are the loop's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from servicekit.sql.transaction import Transaction

T = TypeVar("T")


class PostgresServer:
    """One database of a server."""

    path: Path | None = None

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(url, pool_pre_ping=True, pool_size=10)
        self.dialect = self._engine.dialect

    async def read(self, work: Callable[[Connection], T], *, at_once: bool) -> T:
        """Run a function in one transaction; it never waits in this thread."""
        return await self.write(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in one transaction."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    @asynccontextmanager
    async def reading(self, *, sees_one_moment: bool = False) -> AsyncIterator[Transaction]:
        """A transaction over awaits."""
        async with self._engine.connect() as connection:
            if sees_one_moment:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                yield Transaction(connection.run_sync, self.dialect)

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction over awaits; committed when the block ends without an error."""
        return self.reading()

    async def clean(self) -> None:
        """Vacuuming does it, in its own time."""

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()
