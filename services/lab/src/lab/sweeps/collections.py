"""The collection that a sweep is about: as its key sees and changes it, through the gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from contracts.documents.jobs import Job
from contracts.models.catalog import ModelInfo, ModelList
from contracts.retrieval.collections import Collection, CollectionChange
from contracts.retrieval.reindex import ReindexAccepted, ReindexRequest
from servicekit.core.identifiers import REQUEST_ID_HEADER
from servicekit.peers.client import Peer


class Collections(Protocol):
    """Collections, by a token of the key's."""

    async def get(self, token: str, name: str) -> Collection:
        """One."""

    async def models(self, token: str) -> Sequence[ModelInfo]:
        """Those that the key may use."""

    async def update(self, token: str, name: str, change: CollectionChange) -> Collection:
        """The same, changed."""

    async def reindex(self, token: str, name: str, wanted: ReindexRequest, call: str) -> Job:
        """Begin to build its index anew, once for each `call`, by which the ledger has what that costs."""

    async def get_job(self, token: str, job_id: str) -> Job:
        """How far that is."""

    async def cancel_job(self, token: str, job_id: str) -> Job:
        """End it; an index that does not serve goes with it."""


@dataclass(frozen=True, slots=True)
class GatewayCollections:
    """The gateway's model plane, which answers as its public API does."""

    gateway: Peer

    async def get(self, token: str, name: str) -> Collection:
        """As `Collections` says."""
        return await self.gateway.call("GET", _path(name), Collection, token=token)

    async def models(self, token: str) -> Sequence[ModelInfo]:
        """As `Collections` says."""
        return (await self.gateway.call("GET", "/v1/models", ModelList, token=token)).data

    async def update(self, token: str, name: str, change: CollectionChange) -> Collection:
        """As `Collections` says."""
        return await self.gateway.call("PATCH", _path(name), Collection, token=token, body=change)

    async def reindex(self, token: str, name: str, wanted: ReindexRequest, call: str) -> Job:
        """As `Collections` says."""
        headers = {REQUEST_ID_HEADER: call, "Idempotency-Key": call}
        path = f"{_path(name)}/reindex"
        made = await self.gateway.call("POST", path, ReindexAccepted, token=token, body=wanted, headers=headers)
        return made.job

    async def get_job(self, token: str, job_id: str) -> Job:
        """As `Collections` says."""
        return await self.gateway.call("GET", f"/v1/jobs/{job_id}", Job, token=token)

    async def cancel_job(self, token: str, job_id: str) -> Job:
        """As `Collections` says."""
        return await self.gateway.call("POST", f"/v1/jobs/{job_id}/cancel", Job, token=token)


def _path(name: str) -> str:
    return f"/v1/collections/{quote(name, safe='')}"
