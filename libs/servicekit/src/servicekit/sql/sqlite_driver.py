"""aiosqlite with one hop to its thread for a statement, instead of four: cursor, execute, fetch and close at once.

A hop costs two wake-ups and, while other threads compute, waits for the interpreter lock twice. A transaction of three
statements took seventeen of them.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite

Rows = deque[Any]
_Told = tuple[Any, Rows, int, int | None]
"""Description, rows, row count and last row id of a statement."""
_Run = Callable[[sqlite3.Connection, str, Any], _Told]
BEGIN_WRITING = "BEGIN IMMEDIATE"
BUSY_SECONDS = 15
LOOK_SECONDS = 0.001
CHUNK = 64
"""What aiosqlite's iterators fetch at once; nobody uses them here."""


def opener(file: Path) -> Callable[[], Awaitable[aiosqlite.Connection]]:
    """Opens connections to a file: an `async_creator` of SQLAlchemy's engines."""

    async def opened() -> aiosqlite.Connection:
        return await StatementConnection(partial(sqlite3.connect, file, factory=PatientConnection))

    return opened


class PatientConnection(sqlite3.Connection):
    """One that waits for another process's transaction by looking every millisecond whether the file is free.

    SQLite itself looks at intervals that grow to 100 ms, so a service that writes now and then was kept waiting for
    1.8 s by one that writes all the time (measured).
    """

    def cursor(self, factory: Any = None) -> Any:
        """A cursor that waits so."""
        return super().cursor(factory or _PatientCursor)

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Run a statement on a cursor that waits so."""
        cursor: sqlite3.Cursor = self.cursor().execute(sql, parameters)
        return cursor


class _PatientCursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = ()) -> _PatientCursor:
        return super().execute(sql, parameters) if sql != BEGIN_WRITING else self._begin_writing()

    def _begin_writing(self) -> _PatientCursor:
        given_up = time.monotonic() + BUSY_SECONDS
        super().execute("PRAGMA busy_timeout=0")
        try:
            while True:
                try:
                    return super().execute(BEGIN_WRITING)
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > given_up:
                        raise
                time.sleep(LOOK_SECONDS)  # noqa: TID251  # nobody tells when the file is free
        finally:
            super().execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")


class StatementConnection(aiosqlite.Connection):
    """A connection whose cursors run each statement whole."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, CHUNK)
        self._thread.daemon = True  # as SQLAlchemy makes it where it opens the connection
        self._asked = self._ended = 0

    async def run(self, run: _Run, sql: str, parameters: Any) -> _Told:
        """Run a statement in the connection's thread; raises what sqlite3 raises."""
        self._asked += 1
        told: _Told = await self._execute(self._run, run, self._conn, sql, parameters)  # type: ignore[no-untyped-call]
        return told

    def _run(self, run: _Run, connection: sqlite3.Connection, sql: str, parameters: Any) -> _Told:
        try:
            return run(connection, sql, parameters)
        finally:
            self._ended += 1

    async def rollback(self) -> None:
        """Roll back. No hop where there is nothing to: SQLAlchemy asks whenever a connection goes back to its pool.

        A statement that its caller gave up may yet begin a transaction: it is waited for.
        """
        if self._asked != self._ended or self._conn.in_transaction:
            await super().rollback()

    def cursor(self) -> StatementCursor:  # type: ignore[override]
        """One for a statement; no hop."""
        return StatementCursor(self)


class StatementCursor:
    """A statement's result, all of it in memory: SQLAlchemy fetches everything at once anyway, unless it streams, which
    only snapshots do, over connections of their own.
    """

    def __init__(self, connection: StatementConnection) -> None:
        self._connection = connection
        self._rows: Rows = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> StatementCursor:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> StatementCursor:
        """Run a statement and fetch its rows; raises what sqlite3 raises."""
        self._take(await self._connection.run(_run, sql, parameters))
        return self

    async def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> StatementCursor:
        """Run a statement for each of these; raises what sqlite3 raises."""
        self._take(await self._connection.run(_run_many, sql, parameters))
        return self

    async def fetchone(self) -> Any:
        """The next row, or none."""
        return self._rows.popleft() if self._rows else None

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows."""
        return [self._rows.popleft() for _ in range(min(size or self.arraysize, len(self._rows)))]

    async def fetchall(self) -> Rows:
        """The rows that are left."""
        rows, self._rows = self._rows, deque()
        return rows

    async def close(self) -> None:
        """Nothing is open any more."""

    def _take(self, told: _Told) -> None:
        self.description, self._rows, self.rowcount, self.lastrowid = told


def _run(connection: sqlite3.Connection, sql: str, parameters: Sequence[Any]) -> _Told:
    return _told(connection.execute(sql, parameters))


def _run_many(connection: sqlite3.Connection, sql: str, parameters: Sequence[Sequence[Any]]) -> _Told:
    return _told(connection.executemany(sql, parameters))


def _told(cursor: sqlite3.Cursor) -> _Told:
    try:
        rows = deque(cursor.fetchall()) if cursor.description else deque()
        return cursor.description, rows, cursor.rowcount, cursor.lastrowid
    finally:
        cursor.close()
