"""What the API does with sweeps: they are queued, followed, ended, and what they found is applied and undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, exists, update

from contracts.core.pages import Page
from contracts.improvement.evaluations import FINAL_EVALUATION_STATUSES
from contracts.improvement.sweeps import Combination, Trial, TrialCreate, TrialSettings
from contracts.models.catalog import ModelKind
from contracts.retrieval.collections import AUTO_MODEL, Collection, CollectionChange
from contracts.retrieval.search import DEFAULT_MODEL
from lab.once import make_once
from lab.questions.repository import Viewer
from lab.safety import suites
from lab.sweeps import repository
from lab.sweeps.errors import (
    CollectionChanged,
    CollectionReplaced,
    NothingApplied,
    NothingToApply,
    TrialFinished,
    TriedModelUnknown,
)
from lab.sweeps.indexes import Indexes, State, begin, changes, settings_of, wanted_by, words_of_index
from lab.sweeps.plan import SEARCHED, combine, searched, served_by, words_of
from lab.tables import EVALUATIONS, SWEEPS, TRIAL_JOBS
from servicekit.core.errors import PeerError
from servicekit.jobs.cancellation import request_cancel, revoke
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.tables import JobOwner
from servicekit.sql.transaction import Transaction
from servicekit.web.idempotency import CallKey, fingerprint

ENDED = frozenset(("job_finished", "job_not_found"))


@dataclass(frozen=True, slots=True)
class Sweeps:
    """The sweeps of all tenants."""

    store: JobStore
    indexes: Indexes
    most_live: int
    most_chunks: int

    async def create(self, viewer: Viewer, owner: JobOwner, wanted: TrialCreate, call: CallKey | None = None) -> Trial:
        """Queue one, once for a call with this key; raises what is wrong with the collection, the settings or the
        questions."""
        token = await self.indexes.grants.token(owner.grant or "")
        collection = await self.indexes.collections.get(token, wanted.collection)
        combinations = combine(wanted.settings, collection)
        await self._check_models(token, wanted.settings)
        indexes = begin(wanted.settings, collection, self.most_chunks)
        now = self.store.clock.now()

        def write(connection: Connection) -> Trial:
            repository.check_room(connection, viewer.tenant, self.most_live)
            found = suites.get_version(connection, viewer, wanted.question_set, wanted.version)
            counts = repository.count_parts(connection, viewer, wanted, found)
            made = repository.create_trial(connection, owner, wanted, found, counts, combinations, indexes, now)
            return repository.get_trial(connection, viewer, made)

        made = await make_once(self.store, call, wanted, Trial, write)
        self.store.notifier.notify(made.id, due=True)
        return made

    async def _check_models(self, token: str, settings: TrialSettings) -> None:
        """Raise `TriedModelUnknown` where the key sees no such model of that kind."""
        named: dict[ModelKind, list[str] | None] = {
            "embedding": settings.embedding_model,
            "rerank": settings.rerank_model,
        }
        if not any(named.values()):
            return
        there = await self.indexes.collections.models(token)
        for kind, names in named.items():
            known = [model.id for model in there if model.kind == kind]
            for name in names or ():
                if name not in (DEFAULT_MODEL, AUTO_MODEL, *known):
                    raise TriedModelUnknown(name, kind, known)

    async def get(self, viewer: Viewer, trial_id: str) -> Trial:
        """One; raises `TrialNotFound`."""
        return await self.store.database.read(lambda one: repository.get_trial(one, viewer, trial_id))

    async def list(self, viewer: Viewer, limit: int, cursor: str | None, collection: str | None) -> Page[Trial]:
        """Newest first."""
        return await self.store.database.read(
            lambda one: repository.list_trials(one, viewer, limit, cursor, collection)
        )

    async def cancel(self, viewer: Viewer, trial_id: str) -> Trial:
        """End one, at once or once its worker hears of it; raises `TrialNotFound` or `TrialFinished`."""
        await self.get(viewer, trial_id)
        async with self.store.database.write() as connection:
            row = await request_cancel(connection, TRIAL_JOBS, trial_id)
            if row is None:
                row = await self._cancel_queued(connection, trial_id)
        found = await self.get(viewer, trial_id)
        if row is None:
            raise TrialFinished(trial_id, found.status)
        self.store.notifier.notify(trial_id, due=True)
        return found

    async def _cancel_queued(self, connection: Transaction, trial_id: str) -> RowMapping | None:
        """One that has evaluations is claimed once more, now, to end them; any other ends at once."""
        columns, now = SWEEPS.c, self.store.clock.now()
        begun = exists().where(EVALUATIONS.c.trial_id == columns.id)
        flagged = update(SWEEPS).where(columns.id == trial_id, columns.status == "queued", begun)
        flagged = flagged.values(cancel_requested=True, not_before=None)
        row = (await connection.execute(flagged.returning(*columns))).mappings().one_or_none()
        if row is None:
            ended = {"status": "cancelled", "finished_at": now, "grant_token": None}
            rows = await revoke(connection, TRIAL_JOBS, columns.id == trial_id, ended, ("queued",))
            row = rows[0] if rows else None
        return row

    async def delete(self, viewer: Viewer, trial_id: str) -> None:
        """One that has ended, with its evaluations and an index that it left; the collection stays as it is."""
        row = await self.store.database.read(lambda one: repository.read_row(one, viewer, trial_id))
        if row["status"] in FINAL_EVALUATION_STATUSES and row["grant_token"] is not None:
            await self.indexes.release_row(row, self.store)
        await self.store.database.write(lambda one: repository.delete_trial(one, viewer, trial_id))

    async def delete_tenant(self, tenant: str) -> None:
        """All that a tenant has."""
        await self.store.database.write(lambda one: repository.delete_tenant(one, tenant))

    async def apply(self, viewer: Viewer, owner: JobOwner, trial_id: str) -> Trial:
        """Have the collection searched as was found significantly better. Raises `NothingToApply`, or
        `CollectionChanged` where it is no longer searched as it was when the sweep was started."""
        found, state = await self._read(viewer, trial_id)
        if not found.may_apply or found.confirmation is None:
            raise NothingToApply(trial_id, found.verdict or f"it is {found.status}")
        before, after = found.candidates[0].settings, found.candidates[found.confirmation.number].settings
        job = await self._change(owner, found, state, before, after)
        now = self.store.clock.now()
        applied = {"settings": after.model_dump(), "before": before.model_dump(), "applied_at": now.isoformat()}
        return await self._note(viewer, trial_id, {**applied, "job": job})

    async def revert(self, viewer: Viewer, owner: JobOwner, trial_id: str) -> Trial:
        """Undo what was applied. Raises `NothingApplied`, or `CollectionChanged` where somebody changed it since."""
        found, state = await self._read(viewer, trial_id)
        if found.applied is None or found.applied.reverted_at is not None:
            raise NothingApplied(trial_id)
        job = await self._change(owner, found, state, found.applied.settings, found.applied.before)
        applied = found.applied.model_copy(update={"reverted_at": self.store.clock.now(), "job": job})
        return await self._note(viewer, trial_id, applied.model_dump(mode="json"))

    async def _read(self, viewer: Viewer, trial_id: str) -> tuple[Trial, State | None]:
        def read(connection: Connection) -> tuple[Trial, State | None]:
            found = repository.get_trial(connection, viewer, trial_id)
            return found, repository.read_row(connection, viewer, trial_id)["indexes"]

        return await self.store.database.read(read)

    async def _end_reindex(self, token: str, job_id: str) -> None:
        """One that has not switched yet does not. Raises a 409 `job_committing` while it does."""
        try:
            await self.indexes.collections.cancel_job(token, job_id)
        except PeerError as error:
            if error.code not in ENDED:
                raise

    async def _change(
        self, owner: JobOwner, trial: Trial, state: State | None, before: Combination, after: Combination
    ) -> str | None:
        """At most one call for the index and one for searches; the reindex, where there is one. Where it is so
        already, a call before was cut off."""
        token, name = await self.indexes.grants.token(owner.grant or ""), trial.collection
        if trial.applied is not None and trial.applied.job is not None:
            await self._end_reindex(token, trial.applied.job)
        collection = await self.indexes.collections.get(token, name)
        if collection.created_at > trial.created_at:
            raise CollectionReplaced(name)
        there, expected, wanted = served_by(collection), searched(before), searched(after)
        if there not in (expected, wanted):
            raise CollectionChanged(name, words_of(there), words_of(before))
        job = None if state is None else await self._change_index(token, trial, state, collection, before, after)
        if there != wanted:
            changed = {axis: value for axis in SEARCHED if (value := getattr(wanted, axis)) != getattr(there, axis)}
            if "rerank_model" in changed:
                changed["rerank_model"] = wanted.rerank_model or (DEFAULT_MODEL if wanted.rerank else None)
            await self.indexes.collections.update(token, name, CollectionChange.model_validate(changed))
        return job

    async def _change_index(
        self, token: str, trial: Trial, state: State, collection: Collection, before: Combination, after: Combination
    ) -> str | None:
        there, expected, wanted = settings_of(collection), wanted_by(state, before), wanted_by(state, after)
        if there not in (expected, wanted):
            raise CollectionChanged(trial.collection, words_of_index(there), words_of_index(expected))
        if there == wanted:
            return None
        applied = None if trial.applied is None else trial.applied.model_dump(mode="json")
        call = f"{trial.id}-{fingerprint(applied)[:16]}"  # the same until it is noted, and never again
        return (await self.indexes.collections.reindex(token, trial.collection, changes(there, wanted), call)).id

    async def _note(self, viewer: Viewer, trial_id: str, applied: dict[str, Any]) -> Trial:
        def write(connection: Connection) -> Trial:
            connection.execute(update(SWEEPS).where(SWEEPS.c.id == trial_id).values(applied=applied))
            return repository.get_trial(connection, viewer, trial_id)

        return await self.store.database.write(write)
