"""The audit log: one row for each administrative act, written in the act's own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, insert, or_, select

from contracts.access.keys import AuditEntry
from contracts.core.pages import Page
from gateway.storage.tables import audit
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, in which request."""

    key_id: str
    request_id: str | None = None


INSTALLATION = Actor("installation")
"""The gateway itself at its first start."""


async def note(
    connection: Transaction, at: datetime, actor: Actor, action: str, subject: str, detail: Mapping[str, Any]
) -> None:
    """Add one row. `detail` must hold no secret."""
    await connection.execute(
        insert(audit).values(
            id=new_id("audit"),
            at=at,
            actor_key_id=actor.key_id,
            action=action,
            subject=subject,
            request_id=actor.request_id,
            detail=dict(detail),
        )
    )


async def list_audit_entries(
    database: Database, limit: int, cursor: str | None, subject: str | None
) -> Page[AuditEntry]:
    """Administrative acts, the newest first; those on one key or tenant, if one is named."""
    query = select(audit).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit + 1)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    if cursor:
        last_id = decode_cursor(cursor, str)[0]
        later = audit.alias()
        at = select(later.c.at).where(later.c.id == last_id).scalar_subquery()
        query = query.where(or_(audit.c.at < at, and_(audit.c.at == at, audit.c.id < last_id)))
    rows = await database.read(rows_of(query))
    more = encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page[AuditEntry](data=[AuditEntry.model_validate(dict(row)) for row in rows[:limit]], next_cursor=more)
