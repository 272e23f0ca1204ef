"""Jobs that a call starts once, however often it is made: a client that got no answer makes it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection, delete

from lab.tables import IDEMPOTENCY, KEPT_ANSWERS
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.worker import Chore
from servicekit.sql.database import Database
from servicekit.web.idempotency import CallKey, StoredAnswer, fingerprint

Made = TypeVar("Made", bound=BaseModel)
PRUNE_SECONDS = 3600.0
KEYS_AT_ONCE = 1000


async def make_once(
    store: JobStore, call: CallKey | None, wanted: BaseModel, model: type[Made], make: Callable[[Connection], Made]
) -> Made:
    """What `make` does in a transaction, or what came of the first call with this key, for 24 hours.

    Raises `IdempotencyMismatch` where that one `wanted` something else.
    """
    async with store.database.write() as connection:

        async def made() -> StoredAnswer:
            return StoredAnswer(200, (await connection.run(make)).model_dump_json())

        print_ = fingerprint(wanted.model_dump(mode="json"))
        answer = await KEPT_ANSWERS.once_within(connection, call, print_, store.clock.now(), made)
    return model.model_validate_json(answer.body)


def pruning(store: JobStore) -> Chore:
    """Deletes answers that are older than 24 hours."""

    async def prune() -> None:
        async with store.database.write() as connection:
            await KEPT_ANSWERS.prune(connection, store.clock.now())

    return Chore(PRUNE_SECONDS, prune)


async def delete_answers(database: Database, key_ids: Sequence[str]) -> None:
    """Delete what was answered to these API keys."""
    async with database.write() as connection:
        for first in range(0, len(key_ids), KEYS_AT_ONCE):
            these = IDEMPOTENCY.c.key_id.in_(key_ids[first : first + KEYS_AT_ONCE])
            await connection.execute(delete(IDEMPOTENCY).where(these))
