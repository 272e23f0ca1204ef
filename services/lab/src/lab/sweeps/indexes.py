"""The indexes that a sweep tries beside the one that serves, one at a time: a reindex that does not switch builds each,
and is cancelled when no combination needs it any more.

What the sweep's row says of them: `served` is the index of the beginning, `made` how many reindexes were begun, `held`
the one that there is, `spent` what all have cost, `names` what models are called that were named otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import RowMapping, select, update

from contracts.documents.jobs import FINAL_JOB_STATUSES, Job
from contracts.improvement.evaluations import FINAL_EVALUATION_STATUSES
from contracts.improvement.sweeps import Combination, TrialSettings
from contracts.retrieval.collections import Collection
from contracts.retrieval.reindex import ReindexRequest
from lab.evaluations.authority import Grants
from lab.sweeps.collections import Collections
from lab.sweeps.errors import CollectionTooLarge, IndexNotBuilt, OverlapTooLarge
from lab.sweeps.plan import SERVING, index_of, words_of
from lab.tables import SWEEPS
from servicekit.core.errors import PeerError, ServiceError
from servicekit.jobs.leased_job import JobStore, LeasedJob

log = structlog.get_logger(__name__)
LOOK_SECONDS = 1.0
"""Between two looks how far an index is."""
BUILT = "built"
GONE = frozenset((401, 403, 404, 409))
"""Statuses by which there is nothing to cancel, or nobody with the right to: a revoked key's reindex ends by itself."""
State = Mapping[str, Any]


def begin(settings: TrialSettings, collection: Collection, most_chunks: int) -> dict[str, Any] | None:
    """What a sweep's row says at its beginning; raises `CollectionTooLarge` or `OverlapTooLarge`."""
    if not settings.needs_index:
        return None
    if collection.chunks > most_chunks:
        raise CollectionTooLarge(collection.name, collection.chunks, most_chunks)
    for size in settings.chunk_size or ():
        if 2 * collection.chunking.overlap > size:
            raise OverlapTooLarge(collection.name, size, collection.chunking.overlap)
    return {"served": settings_of(collection), "made": 0, "held": None, "spent": 0, "names": {}}


def settings_of(collection: Collection) -> dict[str, Any]:
    """How the index that serves is made."""
    return {"chunking": collection.chunking.model_dump(mode="json"), "embedding_model": collection.embedding_model}


def wanted_by(state: State, combination: Combination) -> dict[str, Any]:
    """How a combination's index is made."""
    size, model = index_of(combination)
    served = state["served"]
    chunking = served["chunking"] if size is None else {**served["chunking"], "max_tokens": size}
    named = served["embedding_model"] if model is None else state["names"].get(model, model)
    return {"chunking": chunking, "embedding_model": named}


def words_of_index(settings: Mapping[str, Any]) -> str:
    """`chunks of 200, e5-small`, with all that a reindex can change of chunks."""
    chunking = settings["chunking"]
    size = f"{chunking['strategy']} chunks of {chunking['max_tokens'] or 'as many tokens as the model reads'}"
    return f"{size} that overlap by {chunking['overlap']}, {settings['embedding_model']}"


def changes(before: Mapping[str, Any], after: Mapping[str, Any], *, switch: bool = True) -> ReindexRequest:
    """The reindex that makes one of the other."""
    different = {name: value for name, value in after.items() if value != before[name]}
    return ReindexRequest.model_validate(different | ({} if switch else {"switch": False}))


@dataclass(frozen=True, slots=True)
class Indexes:
    """Builds and releases them."""

    collections: Collections
    grants: Grants

    async def use(self, job: LeasedJob, combination: Combination) -> int | None:
        """The generation that a combination is searched in, once it is whole; none where that is the one that serves.
        Raises `IndexNotBuilt`."""
        index = index_of(combination)
        if index == SERVING:
            return None
        held = job.row["indexes"]["held"]
        if held is not None and tuple(held["index"]) != index:
            await self.release(job)
            held = None
        if held is None:
            await self._begin(job, combination)
        return await self._built(job, combination)

    async def release(self, job: LeasedJob) -> None:
        """Have the index removed that there is, if any."""
        state = job.row["indexes"]
        if state is not None and state["held"] is not None:
            await self._cancel(job.row["grant_token"], state)
            await job.write(values={"indexes": {**state, "held": None}}, progress=True)

    async def release_at_end(self, job: LeasedJob) -> bool:
        """The same of a sweep that ends in any case; false where `release_ended` has to go on with it."""
        try:
            await self.release(job)
        except ServiceError as error:
            log.warning("an index is removed later", error=error.message[:300])
            return False
        return True

    async def release_row(self, row: RowMapping, store: JobStore) -> None:
        """The same of a sweep that has ended."""
        if row["indexes"] is not None and row["indexes"]["held"] is not None:
            await self._cancel(row["grant_token"], row["indexes"])
        released = {"indexes": None if row["indexes"] is None else {**row["indexes"], "held": None}}
        statement = update(SWEEPS).where(SWEEPS.c.id == row["id"]).values(**released, grant_token=None)
        await store.database.write(lambda connection: connection.execute(statement))

    async def release_ended(self, store: JobStore) -> None:
        """What sweeps have left that ended while the index could not be reached."""
        columns = SWEEPS.c
        ended = columns.status.in_(FINAL_EVALUATION_STATUSES) & columns.grant_token.is_not(None)
        query = select(columns.id, columns.grant_token, columns.indexes).where(ended)
        for row in await store.database.read(lambda connection: connection.execute(query).mappings().all()):
            try:
                await self.release_row(row, store)
            except ServiceError as error:
                log.warning("an index is removed later", trial_id=row["id"], error=error.message[:300])

    async def _begin(self, job: LeasedJob, combination: Combination) -> None:
        """Killed before its number is written down, it is begun by the same call once more, and is the same job."""
        state = job.row["indexes"]
        number = state["made"] + 1
        wanted = changes(state["served"], wanted_by(state, combination), switch=False)
        token = await self.grants.token(job.row["grant_token"])
        made = await self.collections.reindex(token, job.row["collection"], wanted, f"{job.id}.{number}")
        held = {"index": index_of(combination), "job": made.id, "generation": None}
        await job.write(values={"indexes": {**state, "made": number, "held": held}}, progress=True)

    async def _built(self, job: LeasedJob, combination: Combination) -> int:
        """Wait for it. Each step of its progress is this job's, too."""
        progress = -1.0
        while True:
            job.checkpoint()
            token = await self.grants.token(job.row["grant_token"])
            state = job.row["indexes"]
            found = await self.collections.get_job(token, state["held"]["job"])
            if found.status in FINAL_JOB_STATUSES:
                await job.write(values={"indexes": {**state, "held": None}})
                raise IndexNotBuilt(words_of(combination), found.error)
            if found.stage == BUILT:
                return await self._note(job, token, combination, found)
            await job.write(progress=found.progress > progress)
            progress = max(progress, found.progress)
            await asyncio.sleep(LOOK_SECONDS)

    async def _note(self, job: LeasedJob, token: str, combination: Combination, built: Job) -> int:
        """Its generation, written down with what all indexes have cost until now."""
        state = job.row["indexes"]
        if state["held"]["generation"] is not None:
            return int(state["held"]["generation"])
        shadow = (await self.collections.get(token, job.row["collection"])).index.shadow
        if shadow is None:
            raise IndexNotBuilt(words_of(combination), built.error)
        spent = await self.grants.spent(job.row["grant_token"], job.id, job.row["created_at"])
        named = {combination.embedding_model: shadow.embedding_model} if combination.embedding_model else {}
        held = {**state["held"], "generation": shadow.generation}
        state = {**state, "held": held, "spent": spent.cost_nano_usd, "names": {**state["names"], **named}}
        await job.write(values={"indexes": state}, progress=True)
        return int(shadow.generation)

    async def _cancel(self, grant: str | None, state: State) -> None:
        try:
            token = await self.grants.token(grant or "")
            await self.collections.cancel_job(token, state["held"]["job"])
        except PeerError as error:
            if error.http_status not in GONE:
                raise
