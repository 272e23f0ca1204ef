"""Which failures of the model plane are the caller's to hear, and which only take a rung of the ladder away."""

from __future__ import annotations

from servicekit.core.errors import ServiceError

_POLICY = frozenset(("authentication", "rate_limited", "budget_exceeded", "content_blocked"))


def is_policy(error: ServiceError) -> bool:
    """Whether an error is a decision about the caller, which falling back would only hide."""
    return error.body(None).type in _POLICY or error.code == "key_revoked"
