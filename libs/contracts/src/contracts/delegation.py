"""The claims of a delegation token: what a service behind the gateway may do, for whom, and until when."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Audience = Literal["agent", "ingest", "inference", "retriever", "models", "grants"]
"""Who may accept a token. `models` is the gateway's model plane; `grants` its exchange for a fresh token."""

INSTALLATION_TENANT = "-"
"""The gateway's own calls: not a valid tenant name, so that it owns nothing."""

Scope = Literal["chat", "documents", "search", "agents", "admin"]


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

    def allows_collection(self, name: str) -> bool:
        """Whether the key may use this collection."""
        return self.collections is None or name in self.collections

    def allows_model(self, name: str) -> bool:
        """Whether the key may use this model."""
        return self.models is None or name in self.models


Purpose = Literal["documents", "runs"]
"""What a fresh token is for: an ingest job, or a run of an agent."""


class TokenExchange(BaseModel):
    """Body of the gateway's internal `POST /v1/tokens`: a job's or a run's grant for a fresh token."""

    model_config = ConfigDict(extra="forbid")
    grant: str
    purpose: Purpose = "documents"


class UsageReport(BaseModel):
    """Body of the gateway's internal `POST /v1/usage`: what a job used meanwhile. The same `id` counts once."""

    model_config = ConfigDict(extra="forbid")
    grant: str
    id: Annotated[str, Field(min_length=1, max_length=100)]
    model: Annotated[str, Field(min_length=1, max_length=200)]
    embedding_tokens: Annotated[int, Field(ge=0)]


class FreshToken(BaseModel):
    """A token for the services down the line of a job, and the seconds until it expires."""

    token: str
    expires_in: float
