"""The collection that a sweep is about: as its key sees and changes it, through the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from contracts.retrieval.collections import Collection, CollectionChange
from servicekit.peers.client import Peer


class Collections(Protocol):
    """Collections, by a token of the key's."""

    async def get(self, token: str, name: str) -> Collection:
        """One."""

    async def update(self, token: str, name: str, change: CollectionChange) -> Collection:
        """The same, changed."""


@dataclass(frozen=True, slots=True)
class GatewayCollections:
    """The gateway's model plane, which answers as its public API does."""

    gateway: Peer

    async def get(self, token: str, name: str) -> Collection:
        """As `Collections` says."""
        return await self.gateway.call("GET", _path(name), Collection, token=token)

    async def update(self, token: str, name: str, change: CollectionChange) -> Collection:
        """As `Collections` says."""
        return await self.gateway.call("PATCH", _path(name), Collection, token=token, body=change)


def _path(name: str) -> str:
    return f"/v1/collections/{quote(name, safe='')}"
