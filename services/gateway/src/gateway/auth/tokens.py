"""Delegation tokens and grants: what a key's call may do behind the gateway."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contracts.access.delegation import INSTALLATION_TENANT, Audience, Delegation, Scope
from gateway.auth.keys import Principal
from servicekit.auth.delegation import DelegationSigner

Audiences = tuple[Audience, ...]
GRANT_HEADER = "Groundwork-Grant"
DOCUMENTS: Audiences = ("ingest", "retriever", "inference")
JOBS: Audiences = ("retriever", "inference", "models")
"""What a job may call: its embeddings are made by the model plane, where they are charged."""
SEARCH: Audiences = ("retriever", "inference")
ANSWERS: Audiences = ("agent", "retriever", "inference", "models")
AGENTS: Audiences = ("agent",)
PROMPTS: Audiences = ("agent", "models")
"""Whoever fills a prompt may embed its examples."""
RUNS: Audiences = ("models",)
"""What a run of an agent may call, by the token that its grant is exchanged for: models, which `agents` includes."""
DOCUMENT_RUNS: Audiences = ("retriever", "inference", *RUNS)
"""The same for a key that may read documents."""
EVALUATIONS: Audiences = ("answers",)
"""What the lab's jobs may call, by the token that their grant is exchanged for: answers, searches and documents as
their key gets them."""
TUNING: Audiences = ("inference", *EVALUATIONS)
"""What a tuning job may call: inference, whose models it learns on, and the documents that it learns to find."""
SWEEPS: Audiences = ("collections", "models", *EVALUATIONS)
"""What a sweep may call: it asks as evaluations do, changes collections as their key may, and looks which models
there are."""
QUOTED: Audiences = ("lab",)
"""Who else has made something of a document that is deleted."""
DELETION: Audiences = ("retriever", "agent", "lab", "inference", "models")
MODELS: Audiences = ("inference",)
COLLECTIONS: Audiences = ("retriever",)
GRANTS: Audiences = ("grants",)

CACHED_TOKENS = 4_096
SHARED = "shared"
"""The request id in a token that serves many calls of one key; each call's own id is in its `X-Request-Id`."""


_TokenName = tuple[str, Audiences, tuple[str, ...] | None, bool]


@dataclass(frozen=True, slots=True)
class _SharedToken:
    principal: Principal
    text: str
    good_until: datetime


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Makes tokens for keys; the only holder of the signer."""

    signer: DelegationSigner
    lifetime: timedelta
    grant_lifetime: timedelta
    _shared: OrderedDict[_TokenName, _SharedToken] = field(default_factory=OrderedDict)

    def shared_token(self, principal: Principal, audiences: Audiences) -> str:
        """A token for any call of this key as it is now, made anew after half of its lifetime.

        Signing costs 60 µs, more than anything else that the gateway does by itself for a plain model's answer. Only
        for audiences that charge nothing to the call: it names no call.
        """
        name = principal.key_id, audiences, principal.models, principal.bulk
        known, now = self._shared.get(name), self.signer.now()
        if known is not None and now < known.good_until and known.principal == principal:
            return known.text
        made = _SharedToken(principal, self.token(principal, audiences, SHARED), now + self.lifetime / 2)
        self._shared[name] = made
        self._shared.move_to_end(name)
        while len(self._shared) > CACHED_TOKENS:
            self._shared.popitem(last=False)
        return made.text

    def token(self, principal: Principal, audiences: Audiences, request_id: str, call_id: str | None = None) -> str:
        """A short-lived token for one call."""
        return self.signer.sign(delegation_of(principal, audiences, request_id, call_id), self.lifetime)

    def grant(self, principal: Principal, request_id: str, *, records: bool = False) -> str:
        """A long-lived grant, good only for being exchanged at the model plane while the key is active. `records`:
        whether a run that is made with it is put on record."""
        claims = delegation_of(principal, GRANTS, request_id).model_copy(update={"records": records})
        return self.signer.sign(claims, self.grant_lifetime)

    def deletion_grant(self, principal: Principal, tenant: str, request_id: str) -> str:
        """A grant of an administrator to delete a tenant, exchanged for `deletion_token`s."""
        return self.signer.sign(_of_tenant(principal, GRANTS, tenant, request_id), self.grant_lifetime)

    def deletion_token(self, principal: Principal, tenant: str, request_id: str) -> str:
        """An administrator's token for all of a tenant."""
        return self.signer.sign(_of_tenant(principal, DELETION, tenant, request_id), self.lifetime)

    def own_token(self, audiences: Audiences, scopes: tuple[Scope, ...] = (), tenant: str = INSTALLATION_TENANT) -> str:
        """A token for the gateway's own questions, which touch no tenant's data; with `admin`, for a backup. For a
        `tenant`: for what follows from a call of its keys that is over."""
        own = Delegation(
            audiences=audiences,
            tenant=tenant,
            key_id="gateway",
            scopes=scopes,
            request_id="gateway",
        )
        return self.signer.sign(own, self.lifetime)


def delegation_of(
    principal: Principal, audiences: Audiences, request_id: str, call_id: str | None = None
) -> Delegation:
    """The claims of a token for this key."""
    return Delegation(
        audiences=audiences,
        tenant=principal.tenant,
        key_id=principal.key_id,
        scopes=tuple(sorted(principal.scopes)),
        models=principal.models,
        collections=principal.collections,
        request_id=request_id,
        call_id=call_id,
        bulk=principal.bulk,
        abstain=principal.abstain,
    )


def _of_tenant(principal: Principal, audiences: Audiences, tenant: str, request_id: str) -> Delegation:
    return Delegation(
        audiences=audiences, tenant=tenant, key_id=principal.key_id, scopes=("admin",), request_id=request_id
    )
