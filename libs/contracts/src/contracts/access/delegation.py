"""The claims of a delegation token: what a service behind the gateway may do, for whom, and until when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.core.abstention import Abstain

Audience = Literal["agent", "ingest", "inference", "retriever", "lab", "models", "grants", "answers", "collections"]
"""Who may accept a token. `models` is the gateway's model plane; `grants` its exchange for a fresh token;
`answers` its answers to what a service asks in a key's place, as the public API gives them, and `collections` the
changes of collections that a service makes there."""

INSTALLATION_TENANT = "-"
"""The gateway's own calls: not a valid tenant name, so that it owns nothing."""

Scope = Literal[
    "chat", "documents", "search", "agents", "agents:write", "prompts:release", "feedback:write", "feedback:review",
    "records:read", "records:write", "evaluations:read", "evaluations:write", "admin",
]  # fmt: skip
"""`agents` runs agents, `agents:write` makes, changes and deletes them and prompts, `prompts:release` moves protected
labels of prompts, such as `production`. `feedback:write` says what answers were worth, as `chat` and `agents` may;
`feedback:review` reads, judges, exports and deletes what the tenant's people said. `records:read` reads what all keys
of a tenant asked and were answered, `records:write` deletes it. `evaluations:read` reads question sets,
`evaluations:write` makes and deletes them, and has models learn from them."""


class Delegation(BaseModel):
    """Whose call this is. `models` and `collections` null mean all of the tenant's."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    audiences: tuple[Audience, ...]
    tenant: str
    key_id: str
    scopes: tuple[Scope, ...] = ()
    models: tuple[str, ...] | None = None
    collections: tuple[str, ...] | None = None
    request_id: str
    call_id: str | None = None
    """The gateway's own id of the public call, which the model calls inside it are charged to."""
    bulk: bool = False
    """Whether it is a job's call, which gives way to other callers' where a model has no slot for all."""
    abstain: Abstain | None = None
    """Who decides that documents hold no answer, where neither call nor collection says so."""
    records: bool = False
    """Of a grant: whether a run that is made with it is put on record when it ends."""

    def allows_collection(self, name: str) -> bool:
        """Whether the key may use this collection."""
        return self.collections is None or name in self.collections

    def allows_model(self, name: str) -> bool:
        """Whether the key may use this model."""
        return self.models is None or name in self.models


Purpose = Literal["documents", "runs", "evaluations", "tuning", "sweeps"]
"""What a fresh token is for: an ingest job, a run of an agent, an evaluation, which asks in its key's place, a
tuning job, which learns on a model that the key may use, or a sweep, which changes how a collection is searched."""


class TokenExchange(BaseModel):
    """Body of the gateway's internal `POST /v1/tokens`: a job's or a run's grant for a fresh token.

    With `spends` it is also asked whether the key's budgets have anything left; 429 `budget_exceeded` if not.
    """

    model_config = ConfigDict(extra="forbid")
    grant: str
    purpose: Purpose = "documents"
    call_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """What the calls that are made with the token are charged under, for instance a run."""
    spends: bool = False


class SpentQuestion(BaseModel):
    """Body of the gateway's internal `POST /v1/spent`: what the calls under one id have used. Asked with the grant, so
    that it is also told once the key was revoked."""

    model_config = ConfigDict(extra="forbid")
    grant: str
    call_id: Annotated[str, Field(min_length=1, max_length=64)]
    by: Literal["call", "requests"] = "call"
    """`requests`: public calls whose request ids begin with `call_id` and a point, and what was called for them."""
    since: datetime | None = None
    """With `requests`: when the first of them may have begun, so that no earlier rows are looked through."""


class LearntTokens(BaseModel):
    """Body of the gateway's internal `POST /v1/learnt`: what a tuning job has read to learn, all of it. With the grant,
    so that it is charged also once the key was revoked; a job is charged once."""

    model_config = ConfigDict(extra="forbid")
    grant: str
    job: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
    model: Annotated[str, Field(min_length=1, max_length=200)]
    tokens: Annotated[int, Field(ge=0, lt=2**53)]


class Spent(BaseModel):
    """What calls have used, as the ledger has it. `cost_nano_usd` is null when one price is unknown."""

    model_config = ConfigDict(extra="ignore")
    prompt_tokens: int
    completion_tokens: int
    embedding_tokens: int
    model_calls: int
    cost_nano_usd: int | None
    records: bool = False
    """Whether the gateway wants to be told of the end, by `POST /v1/runs/ended`."""


class FreshToken(BaseModel):
    """A token for the services down the line of a job, and the seconds until it expires."""

    token: str
    expires_in: float
    scopes: tuple[Scope, ...] | None = None
    """What the key may do now; null where a gateway of an earlier release doesn't say."""
