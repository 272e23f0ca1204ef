"""Tells the lab which documents are gone: drafts of questions that it made of them hold their text.

A notice is a row before it is sent, and stays until the lab has answered: a lab that is away learns of it when it is
back, also from another replica or after a restart. Each notice says when the document was deleted, so that a late one
does not take what was made of another document that came under the same id.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import RowMapping, delete, select
from sqlalchemy.exc import SQLAlchemyError

from contracts.documents.documents import DeletedDocument
from gateway.auth.tokens import QUOTED, TokenIssuer
from gateway.storage.dialects import upsert
from gateway.storage.tables import lab_notices
from servicekit.core.clock import Clock
from servicekit.core.errors import PeerError, ServiceError
from servicekit.peers.client import Peer
from servicekit.sql.database import Database, rows_of

log = structlog.get_logger(__name__)
PATH = "/v1/documents/deleted"
WHOLE = ""
"""In `document_id`: all of the collection."""
SECONDS = 3.0
"""For the lab's answer: whoever deletes the document waits for it, too."""
PASS_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
"""Between two tries while the lab is away."""
AT_ONCE = 100
KEPT_FOR = timedelta(days=90)
"""Where there is no lab, or it refuses a notice again and again."""
_NOTICE = lab_notices.c


class LabNotices:
    """Writes notices down, and sends them until they have arrived."""

    def __init__(self, database: Database, lab: Peer, issuer: TokenIssuer, clock: Clock) -> None:
        self._database = database
        self._lab = lab
        self._issuer = issuer
        self._clock = clock

    async def send(self, tenant: str, collection: str, document_id: str | None) -> None:
        """A document, or all of a collection, is deleted: the lab knows it now or learns it later."""
        key = {"tenant": tenant, "collection": collection, "document_id": document_id or WHOLE}
        row = {**key, "deleted_at": self._clock.now()}
        statement = upsert(self._database.dialect.name, lab_notices, _NOTICE.deleted_at <= row["deleted_at"])
        await self._database.write(lambda connection: connection.execute(statement, [row]))
        try:
            await self._deliver(row)
        except ServiceError as error:
            log.warning("the lab learns later that a document is gone", reason=error.message)

    async def send_waiting(self) -> bool:
        """Send those that wait, the oldest first; False where the lab is away."""
        old = _NOTICE.deleted_at < self._clock.now() - KEPT_FOR
        await self._database.write(lambda connection: connection.execute(delete(lab_notices).where(old)))
        waiting = select(lab_notices).order_by(_NOTICE.deleted_at).limit(AT_ONCE)
        for row in await self._database.read(rows_of(waiting)):
            try:
                await self._deliver(row)
            except PeerError as error:
                if error.http_status >= 500:
                    return False
                log.error("the lab refuses to hear that a document is gone", reason=error.message)
            except ServiceError:
                return False
        return True

    async def run(self) -> None:
        """Until cancelled, after longer and longer pauses while the lab is away."""
        pause = PASS_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                is_there = await self.send_waiting()
            except (SQLAlchemyError, OSError) as error:
                log.warning("notices to the lab can't be read", reason=repr(error)[:200])
                is_there = False
            pause = PASS_SECONDS if is_there else min(LONGEST_PAUSE_SECONDS, 2 * pause)

    async def _deliver(self, row: RowMapping | dict[str, Any]) -> None:
        body = DeletedDocument(
            collection=row["collection"], document_id=row["document_id"] or None, deleted_at=row["deleted_at"]
        )
        token = self._issuer.own_token(QUOTED, ("documents",), row["tenant"])
        async with self._lab.stream("POST", PATH, token=token, body=body, timeout_seconds=SECONDS, patient=False):
            pass
        same = [_NOTICE[name] == row[name] for name in ("tenant", "collection", "document_id", "deleted_at")]
        await self._database.write(lambda connection: connection.execute(delete(lab_notices).where(*same)))
