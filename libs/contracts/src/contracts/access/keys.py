"""API keys and usage, as the admin calls show them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from contracts.access.delegation import Scope
from contracts.access.feedback_labels import LABELS, LabelSet
from contracts.access.guardrails import Guardrails
from contracts.access.records import RECORD_DAYS, RecordDays, RecordMode
from contracts.core.abstention import Abstain
from contracts.core.base import Count, Line, Name, Reply, Request, Timestamp, is_written_as_time
from contracts.core.values import Text


class Limits(Request):
    """Limits of a key; null means none."""

    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    concurrency: Annotated[int, Field(ge=1)] | None = None


class Budget(Request):
    """Money for a window: a day or a month in UTC."""

    window: Literal["day", "month"]
    usd: Annotated[Decimal, Field(ge=0, le=1_000_000)]


def _one_a_window(budgets: list[Budget]) -> list[Budget]:
    if len({budget.window for budget in budgets}) < len(budgets):
        raise ValueError("must hold at most one budget for a window")
    return budgets


Budgets = Annotated[list[Budget], AfterValidator(_one_a_window)]


LAST_YEAR = 9998
"""A time is kept in seconds, rounded: the last microsecond of 9999 would be read as the next year, which is none."""


def _in_utc(moment: datetime) -> datetime:
    """Refuse what can't be kept and shown: with its offset a time may be in the year 0 or 10000."""
    try:
        moved = moment.astimezone(UTC)
    except OverflowError:
        moved = datetime.max.replace(tzinfo=UTC)
    if moved.year > LAST_YEAR:
        raise ValueError(f"must be a time in the years 1 to {LAST_YEAR} in UTC; leave it out for a key without an end")
    return moved


Expiry = Annotated[AwareDatetime, BeforeValidator(is_written_as_time), AfterValidator(_in_utc)]


class KeyCreate(Request):
    """Body of `POST /v1/keys`."""

    name: Annotated[Line, StringConstraints(min_length=1, max_length=200)]
    tenant: Name
    scopes: Annotated[list[Scope], Field(min_length=1)]
    models: list[Text] | None = None
    collections: list[Name] | None = None
    limits: Limits = Limits()
    budgets: Budgets = Field(default_factory=list)
    guardrails: Guardrails | None = None
    """Null means `Guardrails()`: only text retrieved from documents is looked at, and findings are noted."""
    records: RecordMode | None = None
    """What is recorded of its answers; null means what the tenant says."""
    records_days: RecordDays | None = None
    """How long its records are kept; null means what the tenant says."""
    abstain: Abstain | None = None
    """Who decides that documents hold no answer, where neither call nor collection says so; null: the model."""
    expires_at: Expiry | None = None


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
    budgets: Budgets = Field(default_factory=list)
    guardrails: Guardrails | None = None
    records: RecordMode | None = None
    records_days: RecordDays | None = None
    abstain: Abstain | None = None
    expires_at: Timestamp | None = None
    created_at: Timestamp
    last_used_at: Timestamp | None = None
    previous_until: Timestamp | None = None
    """Until when the secret before the last rotation is good, too."""
    revoked_at: Timestamp | None = None


class KeyCreated(Key):
    """The only answer that holds the secret."""

    secret: str


class KeyPatch(Request):
    """Body of `PATCH /v1/keys/{id}`: only what is sent changes; within `limits`, too. Null lifts a limit."""

    name: Annotated[Line, StringConstraints(min_length=1, max_length=200)] | None = None
    scopes: Annotated[list[Scope], Field(min_length=1)] | None = None
    models: list[Text] | None = None
    collections: list[Name] | None = None
    limits: Limits | None = None
    budgets: Budgets | None = None
    guardrails: Guardrails | None = None
    records: RecordMode | None = None
    records_days: RecordDays | None = None
    abstain: Abstain | None = None
    expires_at: Expiry | None = None


class KeyRotate(Request):
    """Body of `POST /v1/keys/{id}/rotate`: for how long the old secret is good beside the new one."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86_400)] = 86_400


class TenantPatch(Request):
    """Body of `PATCH /v1/tenants/{name}`: only what is sent changes; within `limits`, too. Null lifts a limit."""

    limits: Limits | None = None
    budgets: Budgets | None = None
    feedback_labels: LabelSet | None = None
    records: RecordMode | None = None
    records_days: RecordDays | None = None


class AuditEntry(Reply):
    """One administrative act."""

    id: str
    at: Timestamp
    actor_key_id: str
    """The key that acted, or `installation`."""
    action: str
    """As in `key.create`."""
    subject: str
    """The key's id or the tenant's name."""
    request_id: str | None = None
    detail: dict[str, Any] = Field(default_factory=dict)


class TenantCreate(Request):
    """Body of `POST /v1/tenants`. The limits hold for all of the tenant's keys together."""

    name: Name
    limits: Limits = Limits()
    budgets: Budgets = Field(default_factory=list)
    records: RecordMode = "off"
    """What is recorded of answers, where a key does not say otherwise."""
    records_days: RecordDays = RECORD_DAYS


class Tenant(Reply):
    """A tenant, and what holds for all of its keys together."""

    name: str
    limits: Limits = Limits()
    budgets: Budgets = Field(default_factory=list)
    feedback_labels: LabelSet = Field(default_factory=lambda: list(LABELS))
    """The closed set of labels for what its people say of answers."""
    records: RecordMode = "off"
    records_days: RecordDays = RECORD_DAYS
    created_at: Timestamp
    deleting: bool = False
    """Whether it is being deleted; its keys are revoked by then."""


UsageGroup = Literal["key", "tenant", "model", "day", "collection"]
"""`collection`: what answers from each cost, the calls inside them included. An answer from several is of all of them
together (`a,b`, in that order; as many names as fit into 200 characters). What was asked of none, searches, documents
and MCP's `ask` are the group `""`."""


class UsageRow(Reply):
    """Usage of one group. `cost_usd` sums the known costs; `unpriced_requests` had no known price."""

    group: str
    requests: Count
    prompt_tokens: Count
    completion_tokens: Count
    embedding_tokens: Count
    cached_tokens: Count
    """Of the prompt's."""
    reasoning_tokens: Count
    """Of the completion's."""
    cost_usd: Decimal | None
    unpriced_requests: Count
    estimated_requests: Count
    """Attempts whose tokens the upstream did not report."""
    cut_requests: Count = 0
    """Calls inside answers and runs that were ended on purpose before they were whole; no errors, and billed."""
    cache_hits: Count
    errors: Count
