"""API keys: secrets, their hashes, and who a key speaks for.

A secret has 256 random bits, so a plain SHA-256 is enough: there is nothing to guess that a slow hash would protect.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from contracts.access.delegation import Scope
from contracts.access.guardrails import Guardrails
from contracts.access.keys import Budget, Limits
from contracts.access.records import RECORD_DAYS, RecordMode
from contracts.core.abstention import Abstain
from gateway.auth.errors import ScopeMissing

ALL_SCOPES: tuple[Scope, ...] = (
    "chat", "documents", "search", "agents", "agents:write", "prompts:release", "feedback:write",
    "feedback:review", "records:read", "records:write", "evaluations:read", "evaluations:write", "admin",
)  # fmt: skip
PREFIX_LENGTH = 10
_SECRET = re.compile(r"gw_[A-Za-z0-9_-]{32,128}")


def new_secret() -> str:
    """`gw_` and 43 url-safe characters, which hold 256 random bits."""
    return f"gw_{secrets.token_urlsafe(32)}"


def is_secret(text: str) -> bool:
    """Whether the text has a secret's form; spares a look-up when it has not."""
    return _SECRET.fullmatch(text) is not None


def bearer_secret(authorization: str | None) -> str:
    """The secret in an `Authorization` header; empty where there is none."""
    scheme, _, secret = (authorization or "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def hash_secret(secret: str) -> str:
    """What is stored in place of the secret: its SHA-256 in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Principal:
    """The key behind a call, as read from the ledger a moment ago. Null lists mean all of the tenant's."""

    key_id: str
    tenant: str
    scopes: frozenset[Scope]
    models: tuple[str, ...] | None = None
    collections: tuple[str, ...] | None = None
    limits: Limits = field(default_factory=Limits)
    budgets: tuple[Budget, ...] = ()
    tenant_limits: Limits = field(default_factory=Limits)
    tenant_budgets: tuple[Budget, ...] = ()
    guardrails: Guardrails = field(default_factory=Guardrails)
    records: RecordMode = "off"
    records_days: int = RECORD_DAYS
    abstain: Abstain | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    bulk: bool = False
    """Whether this call is a job's, and gives way to others'."""

    @property
    def is_admin(self) -> bool:
        """Whether the key administers the whole installation."""
        return "admin" in self.scopes

    @property
    def is_limited(self) -> bool:
        """Whether the key may use only some of its tenant's models or collections."""
        return self.models is not None or self.collections is not None

    def active_at(self, moment: datetime) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)

    def allows_model(self, name: str) -> bool:
        """Whether the key may use this plain model."""
        return self.models is None or name in self.models

    def allows_collection(self, name: str) -> bool:
        """Whether the key may use this collection of its tenant."""
        return self.collections is None or name in self.collections

    def covers(self, other: Principal) -> bool:
        """Whether this key may do all that the other may."""
        return self.scopes >= other.scopes and all(
            mine is None or (theirs is not None and set(mine) >= set(theirs))
            for mine, theirs in ((self.models, other.models), (self.collections, other.collections))
        )

    def require(self, *scopes: Scope) -> None:
        """Raise `ScopeMissing` unless the key has one of the scopes."""
        if self.scopes.isdisjoint(scopes):
            raise ScopeMissing(scopes[0])
