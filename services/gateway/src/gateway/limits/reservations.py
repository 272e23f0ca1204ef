"""What an attempt may use at most, the gates that it must pass for that, and the reservation that it has then."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.access.keys import Budget, Limits
from contracts.models.catalog import ModelInfo
from gateway.auth.keys import Principal
from gateway.limits.limiter import BudgetWindow, Gate, GateKind, GateState, Whose, period_of
from gateway.models.cost import cost_nano_usd, to_nano_usd


@dataclass(frozen=True, slots=True)
class MaxUsage:
    """What one attempt may use at most, as far as it can be known before."""

    model: ModelInfo | None = None
    """The plain model that is called, whose own limits hold, too. None where calls inside reserve their own."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    embedding_tokens: int = 0
    cost: int | None = 0
    """Nano-dollars; 0 for what can't cost money, None where no price is known."""
    open_ended: bool = False
    """The caller set no `max_tokens`, so that `completion_tokens` is only an assumption."""
    bulk: bool = False
    """What jobs embed: nobody waits for it, it has workers of its own, and only budgets hold for it."""

    @property
    def tokens(self) -> int:
        """All that count for a limit of tokens a minute."""
        return self.prompt_tokens + self.completion_tokens + self.embedding_tokens

    @classmethod
    def of_model(cls, model: ModelInfo, prompt: int, completion: int = 0, *, open_ended: bool = False) -> MaxUsage:
        """An attempt at a plain model; tokens that an embedding model reads count as such."""
        cost = cost_nano_usd(model.price, prompt, completion)
        if model.kind == "embedding" or model.embedding_model is not None:
            return cls(model, embedding_tokens=prompt, cost=cost)
        return cls(model, prompt, completion, cost=cost, open_ended=open_ended)


RELEASED_KINDS: tuple[GateKind, ...] = ("tokens", "concurrency")
NO_USAGE = MaxUsage()
"""A call that is only counted."""


@dataclass(slots=True)
class Reservation:
    """What is reserved for one attempt. `call_gates` (requests and slots of key and tenant) are held until the whole
    call ends, `gates` until its attempt does."""

    attempt_id: str
    max_usage: MaxUsage
    began: datetime
    call_gates: tuple[Gate, ...]
    gates: tuple[Gate, ...]
    charged: bool = True
    """False where the limiter was away and calls pass then."""
    headers: dict[str, str] = field(default_factory=dict)
    """How the limits stand, for the caller."""

    @property
    def has_slot(self) -> bool:
        """Whether it takes one of a limited number of slots."""
        return self.charged and any(gate.kind == "concurrency" for gate in (*self.call_gates, *self.gates))


def call_gates_of(principal: Principal) -> Iterator[Gate]:
    """What a public call must pass, whatever it asks."""
    for whose, name, limits in _limited(principal):
        yield from _gates(whose, name, limits, ("requests", "concurrency"))


def attempt_gates_of(principal: Principal, max_usage: MaxUsage, began: datetime) -> Iterator[Gate]:
    """What an attempt must pass for what it may use."""
    if max_usage.tokens and not max_usage.bulk:
        for whose, name, limits in _limited(principal):
            yield from _gates(whose, name, limits, ("tokens",))
    if max_usage.model is not None and max_usage.model.limits is not None and not max_usage.bulk:
        yield from _gates("model", max_usage.model.id, max_usage.model.limits, ("requests", "tokens", "concurrency"))
    if max_usage.cost != 0:
        yield from _budgets("key", principal.key_id, principal.budgets, began)
        yield from _budgets("tenant", principal.tenant, principal.tenant_budgets, began)


def all_gates_of(key_id: str, tenant: str, model: str | None, began: datetime) -> list[Gate]:
    """Every gate that an attempt may have been charged at, whatever the limits were: for settling somebody else's."""
    some: tuple[tuple[Whose, str], ...] = (("key", key_id), ("tenant", tenant), *((("model", model),) if model else ()))
    windows: tuple[BudgetWindow, ...] = ("day", "month")
    gates = [Gate(kind, whose, name, 0) for whose, name in some for kind in RELEASED_KINDS]
    gates += [
        Gate("budget", whose, name, 0, period_of(window, began))
        for whose, name in some
        for window in windows
        if whose != "model"
    ]
    return gates


def amount_of(gate: Gate, max_usage: MaxUsage) -> int:
    """What a gate is charged with. An assumed length never makes a call too large for a limit of tokens."""
    if gate.kind == "budget":
        return max_usage.cost or 0
    if gate.kind != "tokens":
        return 1
    return (
        min(max_usage.tokens, max(gate.limit, max_usage.tokens - max_usage.completion_tokens))
        if max_usage.open_ended
        else max_usage.tokens
    )


def limit_headers(gates: Sequence[Gate], states: Sequence[GateState]) -> dict[str, str]:
    """`X-RateLimit-…` of the tightest limit of requests and of tokens."""
    headers: dict[str, str] = {}
    for kind, word in (("requests", "Requests"), ("tokens", "Tokens")):
        pairs = [(gate, state) for gate, state in zip(gates, states, strict=True) if gate.kind == kind]
        if pairs:
            gate, state = min(pairs, key=lambda pair: pair[0].limit - pair[1].used)
            headers[f"X-RateLimit-Limit-{word}"] = str(gate.limit)
            headers[f"X-RateLimit-Remaining-{word}"] = str(max(0, gate.limit - state.used))
            headers[f"X-RateLimit-Reset-{word}"] = f"{math.ceil(state.reset_seconds)}s"
    return headers


def _limited(principal: Principal) -> tuple[tuple[Whose, str, Limits], ...]:
    return (
        ("key", principal.key_id, principal.limits),
        ("tenant", principal.tenant, principal.tenant_limits),
    )


def _gates(whose: Whose, name: str, limits: Limits, kinds: Sequence[GateKind]) -> Iterator[Gate]:
    of_kind = {
        "requests": limits.requests_per_minute,
        "tokens": limits.tokens_per_minute,
        "concurrency": limits.concurrency,
    }
    for kind in kinds:
        limit = of_kind[kind]
        if limit is not None:
            yield Gate(kind, whose, name, limit)


def _budgets(whose: Whose, name: str, budgets: Sequence[Budget], began: datetime) -> Iterator[Gate]:
    for budget in budgets:
        yield Gate("budget", whose, name, to_nano_usd(budget.usd), period_of(budget.window, began))
