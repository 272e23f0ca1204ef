"""Why a limit or a budget refuses a call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from contracts.core.errors import ErrorType
from servicekit.core.errors import (
    InvalidRequest,
    NotReady,
    ServiceError,
)


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
    """All slots are taken."""

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
