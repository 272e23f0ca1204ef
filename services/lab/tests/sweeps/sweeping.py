"""A collection that is what its key made it, with the reindexes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contracts.access.delegation import Spent
from contracts.core.errors import ErrorBody
from contracts.documents.documents import Failure
from contracts.documents.jobs import Job
from contracts.models.catalog import ModelInfo, ModelKind
from contracts.retrieval.collections import Collection, CollectionChange, IndexState, ShadowIndex
from contracts.retrieval.reindex import ReindexRequest
from servicekit.core.errors import PeerError, ServiceError

MADE = datetime(2026, 1, 1, tzinfo=UTC)
LIVE = ("queued", "running")


def refused(status: int, code: str) -> PeerError:
    return PeerError(status, ErrorBody(type="conflict", code=code, message=f"It is so: {code}."))


@dataclass
class ScriptedCollections:
    """One, called `handbook`. A reindex that does not switch is built once it was looked at twice; one that does, when
    the test says so."""

    there: Collection = field(
        default_factory=lambda: Collection(
            name="handbook", embedding_model="m", dimensions=3, max_input_tokens=256, chunking={}, created_at=MADE
        )
    )
    tokens: list[str] = field(default_factory=list)
    refused: PeerError | None = None
    cancel_refused: ServiceError | None = None
    fails: Failure | None = None
    """What a reindex ends with instead of being built."""
    wanted: dict[str, ReindexRequest] = field(default_factory=dict)
    """By call, in order."""
    jobs: dict[str, Job] = field(default_factory=dict)
    looked: list[str] = field(default_factory=list)
    """The job of each look."""

    async def get(self, token: str, name: str) -> Collection:
        self.tokens.append(token)
        if name != self.there.name:
            body = ErrorBody(type="not_found", code="collection_not_found", message=f"There is no '{name}'.")
            raise PeerError(404, body)
        return self.there

    async def models(self, token: str) -> list[ModelInfo]:
        kinds: dict[ModelKind, list[str]] = {"embedding": ["m", "e5"], "rerank": ["reader+order", "reader+late"]}
        return [ModelInfo(id=name, kind=kind) for kind, names in kinds.items() for name in names]

    async def update(self, token: str, name: str, change: CollectionChange) -> Collection:
        if self.refused is not None:
            raise self.refused
        self.there = (await self.get(token, name)).model_copy(update=change.model_dump(exclude_none=True))
        return self.there

    async def reindex(self, token: str, name: str, wanted: ReindexRequest, call: str) -> Job:
        if self.refused is not None:
            raise self.refused
        if call in self.wanted:
            return self.jobs[_job_of(list(self.wanted).index(call))]
        if self.live:
            raise refused(409, "reindex_running")
        about = {"document_id": "", "collection": name, "status": "queued", "stage": "queued", "created_at": MADE}
        made = Job(id=_job_of(len(self.wanted)), kind="reindex", **about)
        self.wanted[call], self.jobs[made.id] = wanted, made
        if wanted.switch is False:
            self._show(wanted)
        return made

    async def get_job(self, token: str, job_id: str) -> Job:
        self.looked.append(job_id)
        found = self.jobs[job_id]
        if found.status in LIVE and self.fails is not None:
            self._end(job_id, "failed", error=self.fails)
        elif found.status in LIVE:
            stage = "built" if self.looked.count(job_id) > 1 else "copying"
            self.jobs[job_id] = found.model_copy(update={"status": "running", "stage": stage})
        return self.jobs[job_id]

    async def cancel_job(self, token: str, job_id: str) -> Job:
        if self.cancel_refused is not None:
            raise self.cancel_refused
        if self.jobs[job_id].status not in LIVE:
            raise refused(409, "job_finished")
        self._end(job_id, "cancelled")
        return self.jobs[job_id]

    @property
    def live(self) -> list[str]:
        return [one.id for one in self.jobs.values() if one.status in LIVE]

    def switch(self) -> None:
        """The reindex that is under way has ended well."""
        (job_id,) = self.live
        wanted = list(self.wanted.values())[int(job_id.removeprefix("job_"))]
        self._end(job_id, "ready")
        changed: dict[str, Any] = {} if wanted.embedding_model is None else {"embedding_model": wanted.embedding_model}
        changed |= {} if wanted.chunking is None else {"chunking": wanted.chunking}
        self.there = self.there.model_copy(update=changed)

    def _end(self, job_id: str, status: str, **more: Any) -> None:
        self.jobs[job_id] = self.jobs[job_id].model_copy(update={"status": status, **more})
        self.there = self.there.model_copy(update={"index": IndexState()})

    def _show(self, wanted: ReindexRequest) -> None:
        shadow = ShadowIndex(
            generation=len(self.wanted) + 1,
            layout=2,
            embedding_model=f"{wanted.embedding_model or 'm'}".replace("default", "the-default"),
            dimensions=3,
            max_input_tokens=256,
            chunking=wanted.chunking or self.there.chunking,
        )
        self.there = self.there.model_copy(update={"index": IndexState(state="building", shadow=shadow)})


@dataclass
class IndexGrants:
    """Each reindex has cost a thousandth of a dollar."""

    collections: ScriptedCollections

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        return f"token of {grant}"

    async def spent(self, grant: str, call_id: str, since: datetime) -> Spent:
        count = sum(call.startswith(f"{call_id}.") for call in self.collections.wanted)
        tokens = {"prompt_tokens": 0, "completion_tokens": 0, "embedding_tokens": 50 * count}
        return Spent.model_validate({**tokens, "model_calls": count, "cost_nano_usd": 1_000_000 * count})


def _job_of(number: int) -> str:
    return f"job_{number}"
