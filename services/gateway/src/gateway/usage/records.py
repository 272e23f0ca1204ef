"""The rows of the usage ledger, before they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from contracts.models.catalog import RAG

DAY_SECONDS = 86_400
MOST_NAME = 200
"""Characters of a model's name that the ledger keeps."""
_CALL = re.compile(r"call_[0-9a-f]{24,}")
GONE = "(deleted)"
"""Stands for a tenant that was deleted and for what it named; no name can be like it."""
REPLICA_LOST = "replica_lost"
"""`error_type` of an attempt whose replica died: billed as estimated, until it comes back and knows better."""

CUT = "cut"
"""`error_type` of a call inside another one that whoever made it has ended early. That is no error: who asks there is
our own agent, and the outer call or the run says why."""
MOST_NAME = 200
"""Characters of a model's name that the ledger keeps."""
TOKEN_KINDS = ("prompt", "completion", "embedding", "cached", "reasoning")


@dataclass(slots=True)
class Tokens:
    """Tokens of one call, by kind."""

    prompt: int = 0
    completion: int = 0
    embedding: int = 0
    cached: int = 0
    """Part of `prompt`."""
    reasoning: int = 0
    """Part of `completion`."""

    @property
    def total(self) -> int:
        """All that count for a limit."""
        return self.prompt + self.completion + self.embedding

    def plus(self, more: Tokens) -> Tokens:
        """The sum of both."""
        return Tokens(*(getattr(self, kind) + getattr(more, kind) for kind in TOKEN_KINDS))


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One attempt as the ledger keeps it."""

    id: str
    parent_id: str | None
    request_id: str
    key_id: str
    tenant: str
    route: str
    model: str | None
    prompt_tokens: int
    completion_tokens: int
    embedding_tokens: int
    cost_nano_usd: int | None
    status: int
    error_type: str | None
    streamed: bool
    started_at: datetime
    ms: int
    estimated: bool = False
    attempt: int = 1
    cache: str = "bypass"
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    split: str | None = None
    """The route that drew a variant for this call; with the fields below only on a public call's last attempt."""
    split_version: int | None = None
    variant: str | None = None
    unit: str | None = None
    failed: bool | None = None
    """Whether the variant did not answer: the call failed, or another target of the route answered."""
    abstained: bool | None = None
    """What an answer from documents says of itself."""
    grounded: bool | None = None
    answer_id: str | None = None
    """By which the answer can be rated."""

    def row(self) -> dict[str, Any]:
        """As the table has it."""
        row = {
            name: getattr(self, name) for name in _USAGE_FIELDS
        }  # asdict copies all the way down, in ten times the time
        row["day"] = int(self.started_at.timestamp() // DAY_SECONDS)
        return row


@dataclass(frozen=True, slots=True)
class ReservationRecord:
    """What an attempt may use at most: the fields of its usage row that are known before."""

    id: str
    parent_id: str | None
    request_id: str
    key_id: str
    tenant: str
    route: str
    model: str | None
    attempt: int
    prompt_tokens: int
    completion_tokens: int
    embedding_tokens: int
    cost_nano_usd: int | None
    started_at: datetime

    def row(self) -> dict[str, Any]:
        """As the table has it, but for its owner and its lease."""
        return {name: getattr(self, name) for name in _RESERVATION_FIELDS}


_USAGE_FIELDS = tuple(field.name for field in fields(UsageRecord))
_RESERVATION_FIELDS = tuple(field.name for field in fields(ReservationRecord))


def anonymous(row: dict[str, Any]) -> dict[str, Any]:
    """A row of usage or of a reservation that names no tenant, key, request, collection, agent or tuned model any more.

    Its parent is named by a call's id, which says nothing, or by the request's, which is the caller's own word.
    """
    model, parent = row["model"], row["parent_id"]
    return {
        **row,
        "tenant": GONE,
        "key_id": GONE,
        "request_id": GONE,
        "parent_id": parent if parent is None or _CALL.fullmatch(parent) else GONE,
        "model": None if model is None else _nameless(str(model), row["tenant"]),
        **({"unit": None, "answer_id": None} if "unit" in row else {}),
    }


def _nameless(model: str, tenant: str) -> str:
    """`rag:(deleted)`; of a tuned model, `BASE+TENANT.SUFFIX`, what it began as."""
    kind, colon, _ = model.partition(":")
    base, own, _ = model.partition(f"+{tenant}.")
    return f"{kind}:{GONE}" if colon else f"{base}+{GONE}" if own else model


MOST_BELIEVED = 100_000_000
"""Tokens of one attempt that an upstream may report: ten times what the longest context has. More would spend a
tenant's month by one mistake."""


def count(usage: Mapping[str, Any], field: str) -> int:
    """A number of tokens out of somebody's JSON; 0 if it is not one, or more than any model can read or write."""
    value = usage.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_BELIEVED else 0


def kept_name(model: str | None) -> str | None:
    """A model's name as every database takes it: a caller may have made it up. Of a long list of collections those are
    kept that fit whole."""
    if model is None:
        return None
    kept = model[:MOST_NAME].replace("\0", "")
    return kept.rpartition(",")[0] if len(model) > MOST_NAME and "," in kept and model.startswith(RAG) else kept
