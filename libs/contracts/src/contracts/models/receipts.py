"""Receipts: what one call did, how long each part took and what it cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from contracts.access.guardrails import GuardDecision
from contracts.core.base import Count, Reply


class StageTime(Reply):
    """One stage and its wall time in milliseconds."""

    name: str
    ms: float


class TokenCounts(Reply):
    """Tokens by kind, as the engines reported them."""

    prompt: Count = 0
    completion: Count = 0
    embedding: Count = 0
    rerank: Count = 0
    reading: Count = 0


class Attempt(Reply):
    """One call of one upstream model."""

    model: str
    upstream: str
    outcome: str
    """`ok`, `cut` where it was ended on purpose before it was whole, or what went wrong."""
    ms: float


class Variant(Reply):
    """Which of a route's targets an answer is of."""

    route: str
    version: Count
    """Of the route."""
    name: str


class Receipt(Reply):
    """`cost_usd` is null when a price is unknown, never 0."""

    request_id: str
    trace_id: str | None = None
    stages: list[StageTime] = Field(default_factory=list)
    tokens: TokenCounts = TokenCounts()
    cost_usd: Decimal | None = None
    model: str | None = None
    model_digest: str | None = None
    """Of the files of that model; null where its server does not tell."""
    adapter: str | None = None
    """The LoRA adapters of that model; null where it has none."""
    prompt: str | None = None
    """The version of the prompt that the model got; null where none was asked, or the prompt was the caller's."""
    instructions: str | None = None
    """The version of the prompt whose text was the answer's instructions: `house-style@3`."""
    fingerprints: dict[str, str] = Field(default_factory=dict)
    """Of each model that wrote in the answer, as `GET /v1/models/{id}` had it then."""
    attempts: list[Attempt] = Field(default_factory=list)
    collection_revisions: dict[str, Count] = Field(default_factory=dict)
    """The revision of each collection that was searched, as its search reported it."""
    variant: Variant | None = None
    """Of an answer by a route that is split."""
    cache: Literal["hit", "miss", "bypass"] = "bypass"
    queries: list[str] = Field(default_factory=list)
    """What was searched for, where a model was asked to rewrite the question."""
    degraded: list[str] = Field(default_factory=list)
    guardrails: list[GuardDecision] = Field(default_factory=list)
    """What guards have found, and what was done about it."""
