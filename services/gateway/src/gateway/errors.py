"""What can be wrong with a call before an inner service sees it. One class a fact."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from contracts.delegation import Scope
from contracts.errors import ErrorType
from servicekit.core.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotReady,
    ServiceError,
    Unauthenticated,
)


class KeyMissing(Unauthenticated):
    """No API key was sent."""

    code = "missing_key"

    def __init__(self) -> None:
        super().__init__("Send your API key as 'Authorization: Bearer <key>'.")


class KeyAmbiguous(Unauthenticated):
    """More than one key was sent: whoever stands between may have checked another one than we would."""

    code = "ambiguous_key"

    def __init__(self) -> None:
        super().__init__("Send one 'Authorization' header; there are several.")


class KeyUnknown(Unauthenticated):
    """The key is not one of ours."""

    code = "unknown_key"

    def __init__(self) -> None:
        super().__init__(
            "This API key is not known. Check that it was copied whole ('gw_...'), or ask an admin for a new one."
        )


class KeyRevoked(Unauthenticated):
    """The key was revoked."""

    code = "key_revoked"

    def __init__(self) -> None:
        super().__init__("This API key was revoked. Ask an admin for a new one.")


class KeyExpired(Unauthenticated):
    """The key's time is over."""

    code = "key_expired"

    def __init__(self) -> None:
        super().__init__("This API key has expired. Ask an admin for a new one.")


class GrantRefused(Forbidden):
    """The key behind a grant or a token may do nothing any more."""

    code = "key_revoked"

    def __init__(self) -> None:
        super().__init__("The API key that started this work was revoked or has expired; the work can't go on.")


class ScopeMissing(Forbidden):
    """The key lacks the scope of the call."""

    code = "missing_scope"

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"This call needs a key with the scope '{scope}'. Ask an admin for one.")


class ModelNotFound(NotFound):
    """No such model, or the key may not use it."""

    code = "model_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model `{name[:200]}` does not exist or you do not have access to it. GET /v1/models lists yours.",
            param="model",
        )


class OriginRefused(Forbidden):
    """A web page of another origin calls."""

    code = "origin_refused"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Pages of '{origin[:200]}' may not call this. Let the operator name the origin in GATEWAY_MCP_ORIGINS, or "
            "in GATEWAY_CORS_ORIGINS for all calls."
        )


class NoReranker(NotFound):
    """No rerank model is configured."""

    code = "no_reranker"

    def __init__(self) -> None:
        super().__init__(
            "No rerank model is configured. Add one to the models file of inference, or search without rerank.",
            param="model",
        )


class WrongModelKind(InvalidRequest):
    """The model does something else."""

    code = "wrong_model_kind"

    def __init__(self, name: str, kind: str, wanted: str) -> None:
        super().__init__(f"'{name}' is a model for {kind}, but this call needs one for {wanted}.", param="model")


class LimitReached(ServiceError):
    """A limit refuses a call; its headers say how the limits stand."""

    status = 429
    type: ClassVar[ErrorType] = "rate_limited"

    def __init__(self, message: str, code: str, retry_after: float, limit_headers: Mapping[str, str]) -> None:
        super().__init__(message, retry_after=retry_after)
        self.code = code
        self._limit_headers = limit_headers

    def headers(self) -> dict[str, str]:
        """`Retry-After`, and how the limits stand."""
        return {**super().headers(), **self._limit_headers}


class TooManyRequests(LimitReached):
    """A requests-per-minute limit was reached."""

    def __init__(self, limit: int, whose: str, retry_after: float, limit_headers: Mapping[str, str]) -> None:
        super().__init__(
            f"The limit of {limit} requests a minute of this {whose} is reached. Wait, or ask an admin to raise it.",
            f"{whose}_requests_per_minute",
            retry_after,
            limit_headers,
        )


class TooManyTokens(LimitReached):
    """A tokens-per-minute limit leaves too little for what the call may use."""

    def __init__(self, limit: int, whose: str, retry_after: float, limit_headers: Mapping[str, str]) -> None:
        super().__init__(
            f"What is left of the limit of {limit} tokens a minute of this {whose} is less than the prompt and "
            "max_tokens of this call. Wait, lower max_tokens, or ask an admin to raise the limit.",
            f"{whose}_tokens_per_minute",
            retry_after,
            limit_headers,
        )


class TooManyAtOnce(LimitReached):
    """All places are taken."""

    def __init__(self, limit: int, whose: str, retry_after: float, limit_headers: Mapping[str, str]) -> None:
        super().__init__(
            f"This {whose} may have {limit} calls under way at once, and has. Wait until one ends, or ask an admin "
            "to raise the limit.",
            f"{whose}_concurrency",
            retry_after,
            limit_headers,
        )


class BudgetExceeded(LimitReached):
    """A budget leaves too little for what the call may cost."""

    type: ClassVar[ErrorType] = "budget_exceeded"

    def __init__(
        self,
        whose: str,
        window: str,
        limit: int,
        resets_at: datetime,
        retry_after: float,
        limit_headers: Mapping[str, str],
    ) -> None:
        super().__init__(
            f"The budget of {limit / 1e9:g} USD a {window} of this {whose} does not cover what this call may cost. "
            f"It resets at {resets_at:%Y-%m-%dT%H:%M:%SZ}. Lower max_tokens, or ask an admin to raise the budget.",
            f"{whose}_{window}_budget",
            retry_after,
            limit_headers,
        )


class CallTooLarge(InvalidRequest):
    """A call that no waiting would let in."""

    code = "call_too_large"

    def __init__(self, tokens: int, limit: int, whose: str) -> None:
        super().__init__(
            f"This call may use {tokens} tokens (its prompt and max_tokens), but the limit of this {whose} is {limit} "
            "a minute. Lower max_tokens or shorten the prompt.",
            param="max_tokens",
        )


class PriceUnknown(InvalidRequest):
    """A budget can't be held for a model whose price nobody knows."""

    code = "price_unknown"

    def __init__(self, model: str | None, whose: str) -> None:
        super().__init__(
            f"This {whose} has a budget, but the price of {model or 'the models of this call'} is not known, so that "
            "it can't be held. Use a model with a price, or ask your operator to give it one in the models file.",
            param="model",
        )


class LedgerUnavailable(NotReady):
    """SQL can't be reached or written, so that what a call costs could get lost."""

    code = "ledger_unavailable"

    def __init__(self) -> None:
        super().__init__("The usage ledger can't be written right now. Try again shortly.", retry_after=5)


class LimitsUnavailable(NotReady):
    """Redis is away, and the operator chose to refuse calls then."""

    code = "limits_unavailable"

    def __init__(self) -> None:
        super().__init__("Limits can't be checked right now, so no call is let in. Try again shortly.", retry_after=5)


class KeyNotFound(NotFound):
    """No key with this id."""

    code = "key_not_found"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no key '{key_id[:100]}'. GET /v1/keys lists them.", param="id")


class LastAdminKey(Conflict):
    """Revoking this key would lock everybody out."""

    code = "last_admin_key"

    def __init__(self) -> None:
        super().__init__("This is the only working admin key. Create another admin key first, then revoke this one.")


class KeyIsRevoked(Conflict):
    """A revoked key can't be changed."""

    code = "key_is_revoked"

    def __init__(self) -> None:
        super().__init__("This key was revoked, which is for ever. Make a new key.")


class TenantExists(Conflict):
    """The tenant's name is taken."""

    code = "tenant_exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a tenant '{name}' already.", param="name")


class TenantNotFound(NotFound):
    """No tenant with this name."""

    code = "tenant_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no tenant '{name[:100]}'. GET /v1/tenants lists them.", param="name")


class NotYours(NotFound):
    """A path that no inner service could have: answered like any unknown name."""

    def __init__(self, what: str, value: str) -> None:
        super().__init__(f"There is no {what} '{value[:200]}'.", param=what)
        self.code = f"{what}_not_found"


class CollectionNotAllowed(Forbidden):
    """The key is limited to other collections."""

    code = "collection_not_allowed"

    def __init__(self, name: str) -> None:
        super().__init__(f"This key may not use the collection '{name}'. Use another key or collection.")


class ExpiryPassed(InvalidRequest):
    """A key that would never work."""

    code = "expiry_passed"

    def __init__(self) -> None:
        super().__init__("expires_at is in the past: the key would never work. Give a later time.", param="expires_at")


class BadPeriod(InvalidRequest):
    """`from` is not before `to`, or one of them is not in the years 1 to 9999."""

    code = "bad_period"

    def __init__(self) -> None:
        super().__init__("'from' must be before 'to'. Both are RFC 3339 times or dates, in UTC.", param="from")


STATUS_OF_TYPE: Mapping[str, int] = {
    "invalid_request": 400,
    "authentication": 401,
    "permission": 403,
    "not_found": 404,
    "conflict": 409,
    "rate_limited": 429,
    "budget_exceeded": 429,
    "overloaded": 503,
    "internal": 500,
    "upstream_error": 502,
    "upstream_timeout": 504,
    "content_blocked": 400,
}
"""The status of an error that arrived as the first event of a stream."""


class OptionsNeedDocuments(InvalidRequest):
    """`groundwork` options were sent to a plain model."""

    code = "options_need_documents"

    def __init__(self) -> None:
        super().__init__(
            "The field 'groundwork' needs a 'rag:<collection>' model; a plain model would not heed it.",
            param="groundwork",
        )


class TooManyCollections(InvalidRequest):
    """A `rag:` name lists more collections than one answer may draw on."""

    code = "too_many_collections"

    def __init__(self, most: int) -> None:
        super().__init__(f"One answer can draw on at most {most} collections.", param="model")


class TenantInUse(Conflict):
    """A tenant can't be deleted by a key of its own."""

    code = "tenant_in_use"

    def __init__(self, name: str) -> None:
        super().__init__(f"This key belongs to '{name}' itself. Delete it with an admin key of another tenant.")


class TenantDeleting(Conflict):
    """A tenant of this name is being deleted."""

    code = "tenant_deleting"

    def __init__(self, name: str) -> None:
        super().__init__(f"The tenant '{name}' is being deleted. Wait until GET /v1/tenants no longer lists it.")
