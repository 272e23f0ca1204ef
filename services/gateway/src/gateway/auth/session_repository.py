"""Sessions in SQL, so that every replica knows them. Only hashes of secrets are stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, or_, select

from gateway.auth.errors import SessionEnded, SessionTokenUsed
from gateway.storage.tables import sessions
from servicekit.core.clock import Clock
from servicekit.sql.database import Database

MOST_OF_A_KEY = 50
"""Sessions of one key at once, and one-time tokens; the one that ends first goes when another is begun."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that was found: the hash of the key's secret that it stands for, and when it ends at the latest."""

    key_hash: str
    expires_at: datetime


class SessionRepository:
    """Begins, finds and ends sessions, and takes one-time tokens."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, session_id: str, key_hash: str, life: timedelta, *, once: bool = False) -> datetime:
        """A session, or with `once` a token that begins one; returns when it ends."""
        now = self._clock.now()
        mine = (sessions.c.key_hash == key_hash, sessions.c.once.is_(once))
        newest = select(sessions.c.id).where(*mine).order_by(sessions.c.expires_at.desc()).limit(MOST_OF_A_KEY - 1)
        row = {"id": session_id, "key_hash": key_hash, "once": once, "expires_at": now + life}
        async with self._database.write() as connection:
            gone = or_(sessions.c.expires_at <= now, sessions.c.id.not_in(newest))
            await connection.execute(delete(sessions).where(*mine, gone))
            await connection.execute(insert(sessions).values(**row))
        return now + life

    async def get_session(self, session_id: str) -> SessionRow:
        """The session with this id; raises `SessionEnded`. Whether its time is over is the caller's to look at."""
        row = await self._find(session_id, once=False)
        if row is None:
            raise SessionEnded
        return row

    async def get_token(self, token_id: str) -> SessionRow:
        """What a one-time token stands for, without using it up; raises `SessionTokenUsed`."""
        row = await self._find(token_id, once=True)
        if row is None or row.expires_at <= self._clock.now():
            raise SessionTokenUsed
        return row

    async def take_token(self, token_id: str) -> str:
        """The hash of the key that a one-time token stands for; whoever comes second gets `SessionTokenUsed`."""
        unused = (sessions.c.id == token_id, sessions.c.once, sessions.c.expires_at > self._clock.now())
        async with self._database.write() as connection:
            query = delete(sessions).where(*unused).returning(sessions.c.key_hash)
            taken: str | None = (await connection.execute(query)).scalar_one_or_none()
        if taken is None:
            raise SessionTokenUsed
        return taken

    async def delete_session(self, session_id: str) -> None:
        """End a session; one that is over already is no error."""
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.id == session_id))

    async def _find(self, session_id: str, *, once: bool) -> SessionRow | None:
        query = select(sessions.c.key_hash, sessions.c.expires_at).where(
            sessions.c.id == session_id, sessions.c.once.is_(once)
        )
        row = await self._database.read(
            lambda connection: connection.execute(query).mappings().one_or_none(), at_once=True
        )
        return None if row is None else SessionRow(row["key_hash"], row["expires_at"])
