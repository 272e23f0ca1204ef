"""A collection that is what its key made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.core.errors import ErrorBody
from contracts.retrieval.collections import Collection, CollectionChange
from servicekit.core.errors import PeerError

MADE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class ScriptedCollections:
    """One, called `handbook`."""

    there: Collection = field(
        default_factory=lambda: Collection(
            name="handbook", embedding_model="m", dimensions=3, max_input_tokens=256, chunking={}, created_at=MADE
        )
    )
    tokens: list[str] = field(default_factory=list)
    refused: PeerError | None = None

    async def get(self, token: str, name: str) -> Collection:
        self.tokens.append(token)
        if name != self.there.name:
            body = ErrorBody(type="not_found", code="collection_not_found", message=f"There is no '{name}'.")
            raise PeerError(404, body)
        return self.there

    async def update(self, token: str, name: str, change: CollectionChange) -> Collection:
        if self.refused is not None:
            raise self.refused
        self.there = (await self.get(token, name)).model_copy(update=change.model_dump(exclude_none=True))
        return self.there
