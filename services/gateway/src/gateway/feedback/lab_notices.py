"""Tells the lab which documents are gone: drafts of questions that it made of them hold their text.

A notice is a row before it is sent, and stays until the lab has answered: a lab that is away learns of it when it is
back, also from another replica or after a restart. One that the lab does not take waits behind the others, so that it
keeps none of them, and after some tries until it is twice as old: it is sent some twenty times in all. Each notice says
when the document was deleted, so that a late one does not take what was made of another document that came under the
same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, CursorResult, RowMapping, and_, delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from contracts.documents.documents import DeletedDocument
from gateway.auth.tokens import QUOTED, TokenIssuer
from gateway.storage.dialects import upsert
from gateway.storage.tables import lab_notices
from servicekit.core.clock import Clock
from servicekit.core.errors import PeerError, ServiceError
from servicekit.peers.client import Peer, PeerUnreachable
from servicekit.sql.database import Database, rows_of

log = structlog.get_logger(__name__)
PATH = "/v1/documents/deleted"
WHOLE = ""
"""In `document_id`: all of the collection."""
SECONDS = 3.0
"""For the lab's answer: whoever deletes the document waits for it, too."""
PASS_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
"""Between two passes while nothing can be sent."""
AT_ONCE = 100
FAILURES = 3
"""In a row, timeouts and faults of the lab, after which a pass ends."""
FREE_TRIES = 4
"""With the pauses between passes alone."""
YOUNGEST_SECONDS = 5.0
"""How old a notice must be to be tried again after n tries, times 2 to the n."""
MOST_TRIES = 21
"""The next one would come when a notice is kept no longer."""
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
        row = {**key, "deleted_at": self._clock.now(), "tries": 0}
        statement = upsert(self._database.dialect.name, lab_notices, _NOTICE.deleted_at <= row["deleted_at"])
        await self._database.write(lambda connection: connection.execute(statement, [row]))
        try:
            await self._deliver(row)
        except ServiceError as error:
            log.warning("the lab learns later that a document is gone", reason=error.message)

    async def send_waiting(self) -> bool:
        """Send those that wait, without a pause while that goes on; False where none of them could be sent."""
        await self._delete_old()
        order = (_NOTICE.tries, _NOTICE.deleted_at)
        waiting = select(lab_notices).where(_is_due(self._clock.now())).order_by(*order).limit(AT_ONCE)
        sent_some = False
        while rows := await self._database.read(rows_of(waiting)):
            sent, goes_on = await self._send_batch(rows)
            sent_some = sent_some or sent > 0
            if not sent or not goes_on or len(rows) < AT_ONCE:
                return sent_some
        return True

    async def run(self) -> None:
        """Until cancelled, after longer and longer pauses while nothing can be sent."""
        pause = PASS_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                goes_on = await self.send_waiting()
            except (SQLAlchemyError, OSError) as error:
                log.warning("notices to the lab can't be read", reason=repr(error)[:200])
                goes_on = False
            pause = PASS_SECONDS if goes_on else min(LONGEST_PAUSE_SECONDS, 2 * pause)

    async def _send_batch(self, rows: Sequence[RowMapping]) -> tuple[int, bool]:
        """How many were sent, and whether the lab is well enough to be sent more."""
        sent = failures = 0
        for row in rows:
            try:
                await self._deliver(row)
            except PeerUnreachable:
                return sent, False
            except ServiceError as error:
                refused = isinstance(error, PeerError) and error.http_status < 500
                failures = 0 if refused else failures + 1
                tell = log.error if refused else log.warning
                tell("the lab does not take that a document is gone", refused=refused, reason=error.message)
                if failures == FAILURES:
                    return sent, False
            else:
                sent, failures = sent + 1, 0
        return sent, True

    async def _delete_old(self) -> None:
        old = delete(lab_notices).where(_NOTICE.deleted_at < self._clock.now() - KEPT_FOR)

        def delete_rows(connection: Connection) -> int:
            found: CursorResult[Any] = connection.execute(old)
            return found.rowcount

        given_up = await self._database.write(delete_rows)
        if given_up:
            log.error("the lab was never told that documents are gone", notices=given_up, days=KEPT_FOR.days)

    async def _deliver(self, row: RowMapping | dict[str, Any]) -> None:
        """Raises where the lab did not take it; where it was there, the notice waits behind the others then."""
        body = DeletedDocument(
            collection=row["collection"], document_id=row["document_id"] or None, deleted_at=row["deleted_at"]
        )
        token = self._issuer.own_token(QUOTED, ("documents",), row["tenant"])
        same = [_NOTICE[name] == row[name] for name in ("tenant", "collection", "document_id", "deleted_at")]
        try:
            async with self._lab.stream("POST", PATH, token=token, body=body, timeout_seconds=SECONDS, patient=False):
                pass
        except PeerUnreachable:
            raise
        except ServiceError:
            behind = update(lab_notices).where(*same).values(tries=_NOTICE.tries + 1)
            await self._database.write(lambda connection: connection.execute(behind))
            raise
        await self._database.write(lambda connection: connection.execute(delete(lab_notices).where(*same)))


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Of a notice: what is refused again and again is tried more and more rarely."""
    due: list[ColumnElement[bool]] = [_NOTICE.tries < FREE_TRIES]
    for tries in range(FREE_TRIES, MOST_TRIES):
        age = timedelta(seconds=YOUNGEST_SECONDS * 2**tries)
        due.append(and_(_NOTICE.tries == tries, _NOTICE.deleted_at <= now - age))
    return or_(*due)
