"""API keys and usage, as the admin calls show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from contracts.base import Count, Line, Name, Reply, Request, Timestamp
from contracts.delegation import Scope


class Limits(Request):
    """Limits of a key; null means none."""

    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    concurrency: Annotated[int, Field(ge=1)] | None = None


class Budget(Request):
    """Money for a window."""

    window: Literal["day", "month"]
    usd: Annotated[Decimal, Field(ge=0)]


class KeyCreate(Request):
    """Body of `POST /v1/keys`."""

    name: Annotated[Line, StringConstraints(min_length=1, max_length=200)]
    tenant: Name
    scopes: Annotated[list[Scope], Field(min_length=1)]
    models: list[str] | None = None
    collections: list[Name] | None = None
    limits: Limits = Limits()
    budgets: list[Budget] = Field(default_factory=list)
    expires_at: AwareDatetime | None = None


class Key(Reply):
    """A key without its secret."""

    id: str
    name: str
    tenant: str
    prefix: str
    """The first characters of the secret, to recognise it by."""
    scopes: list[Scope]
    models: list[str] | None = None
    collections: list[str] | None = None
    limits: Limits = Limits()
    budgets: list[Budget] = Field(default_factory=list)
    expires_at: Timestamp | None = None
    created_at: Timestamp
    last_used_at: Timestamp | None = None
    revoked_at: Timestamp | None = None


class KeyCreated(Key):
    """The only answer that holds the secret."""

    secret: str


class TenantCreate(Request):
    """Body of `POST /v1/tenants`. The limits hold for all of the tenant's keys together."""

    name: Name
    limits: Limits = Limits()
    budgets: list[Budget] = Field(default_factory=list)


class Tenant(Reply):
    """A tenant, and what holds for all of its keys together."""

    name: str
    limits: Limits = Limits()
    budgets: list[Budget] = Field(default_factory=list)
    created_at: Timestamp


UsageGroup = Literal["key", "tenant", "model", "day"]


class UsageRow(Reply):
    """Usage of one group. `cost_usd` sums the known costs; `unpriced_requests` had no known price."""

    group: str
    requests: Count
    prompt_tokens: Count
    completion_tokens: Count
    embedding_tokens: Count
    cost_usd: Decimal | None
    unpriced_requests: Count
    cache_hits: Count
    errors: Count
