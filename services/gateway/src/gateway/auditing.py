"""The audit log: one row for each administrative act, written in the act's own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.tables import audit
from servicekit.identifiers import new_id


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, in which request."""

    key_id: str
    request_id: str | None = None


INSTALLATION = Actor("installation")
"""The gateway itself at its first start."""


async def note(
    connection: AsyncConnection, at: datetime, actor: Actor, action: str, subject: str, detail: Mapping[str, Any]
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
