from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from contracts.access.keys import Budget, Limits
from contracts.models.catalog import ModelInfo, ModelPrice
from gateway.auth.keys import Principal
from gateway.limits.limiter import Gate, GateState
from gateway.limits.reservations import (
    NO_USAGE,
    MaxUsage,
    Reservation,
    all_gates_of,
    amount_of,
    attempt_gates_of,
    call_gates_of,
    limit_headers,
)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PRICE = ModelPrice(prompt_usd_per_million=1, completion_usd_per_million=2)
ALL = Limits(requests_per_minute=1, tokens_per_minute=2, concurrency=3)
MODEL = ModelInfo(id="m", kind="chat", price=PRICE, limits=ALL)
KEY = Principal(
    "k1",
    "acme",
    frozenset({"chat"}),
    limits=ALL,
    budgets=(Budget(window="day", usd=Decimal("0.5")),),
    tenant_limits=Limits(tokens_per_minute=20, concurrency=30),
    tenant_budgets=(Budget(window="month", usd=Decimal(5)),),
)


def _names(gates: list[Gate]) -> list[str]:
    return [f"{gate.whose} {gate.kind} {gate.limit}" for gate in gates]


def test_an_embedding_models_tokens_count_as_such_and_cost_what_a_prompt_does() -> None:
    usage = MaxUsage.of_model(MODEL.model_copy(update={"kind": "embedding"}), 10)
    assert (usage.prompt_tokens, usage.embedding_tokens, usage.tokens, usage.cost) == (0, 10, 10, 10_000)
    chat = MaxUsage.of_model(MODEL, 10, 5)
    assert (chat.prompt_tokens, chat.completion_tokens, chat.tokens, chat.cost) == (10, 5, 15, 20_000)
    assert MaxUsage.of_model(MODEL.model_copy(update={"price": None}), 1).cost is None


def test_a_call_passes_the_requests_and_slots_of_its_key_and_its_tenant() -> None:
    assert _names(list(call_gates_of(KEY))) == ["key requests 1", "key concurrency 3", "tenant concurrency 30"]


def test_an_attempt_passes_tokens_its_models_limits_and_budgets() -> None:
    gates = list(attempt_gates_of(KEY, MaxUsage.of_model(MODEL, 10, 5), NOW))
    assert _names(gates) == [
        "key tokens 2", "tenant tokens 20",
        "model requests 1", "model tokens 2", "model concurrency 3",
        "key budget 500000000", "tenant budget 5000000000",
    ]  # fmt: skip
    assert [gate.period.label for gate in gates if gate.period] == ["day:2026-11-27", "month:2026-11-01"]


@pytest.mark.parametrize(
    ("usage", "kinds"),
    [
        (NO_USAGE, set()),
        (MaxUsage(prompt_tokens=5), {"tokens"}),
        (MaxUsage(cost=None), {"budget"}),
        (MaxUsage(MODEL, embedding_tokens=5, cost=5, bulk=True), {"budget"}),
    ],
)
def test_only_what_it_may_use_is_asked_for_and_of_jobs_only_budgets(usage: MaxUsage, kinds: set[str]) -> None:
    assert {gate.kind for gate in attempt_gates_of(KEY, usage, NOW)} == kinds


@pytest.mark.parametrize(
    ("limit", "open_ended", "amount"),
    [(1000, False, 110), (50, False, 110), (1000, True, 110), (50, True, 50), (5, True, 10)],
)
def test_an_assumed_length_takes_no_more_than_the_limit_but_a_prompt_counts_whole(
    limit: int, open_ended: bool, amount: int
) -> None:
    usage = MaxUsage(prompt_tokens=10, completion_tokens=100, open_ended=open_ended)
    assert amount_of(Gate("tokens", "key", "k1", limit), usage) == amount


def test_a_request_and_a_slot_are_one_and_a_budget_is_charged_the_cost() -> None:
    usage = MaxUsage(prompt_tokens=10, cost=70)
    assert [amount_of(Gate(kind, "key", "k1", 9), usage) for kind in ("requests", "concurrency", "budget")] == [
        1,
        1,
        70,
    ]
    assert amount_of(Gate("budget", "key", "k1", 9), MaxUsage(cost=None)) == 0


def test_headers_tell_of_the_tightest_limit_of_each_kind_and_never_of_less_than_nothing() -> None:
    gates = [
        Gate("requests", "key", "k1", 100), Gate("requests", "tenant", "acme", 10), Gate("tokens", "key", "k1", 5),
        Gate("concurrency", "key", "k1", 1),
    ]  # fmt: skip
    states = [GateState(20, 0, 1.2), GateState(3, 0, 9.01), GateState(7, 0, 0), GateState(1, 0, 0)]
    assert limit_headers(gates, states) == {
        "X-RateLimit-Limit-Requests": "10",
        "X-RateLimit-Remaining-Requests": "7",
        "X-RateLimit-Reset-Requests": "10s",
        "X-RateLimit-Limit-Tokens": "5",
        "X-RateLimit-Remaining-Tokens": "0",
        "X-RateLimit-Reset-Tokens": "0s",
    }
    assert limit_headers([], []) == {}


@pytest.mark.parametrize("model", ["m", None])
def test_who_settles_anothers_attempt_names_every_gate_that_it_may_have_been_charged_at(model: str | None) -> None:
    usage = MaxUsage.of_model(MODEL, 10, 5)
    charged = [*call_gates_of(KEY), *attempt_gates_of(KEY, usage, NOW)]
    known = {gate.identity for gate in all_gates_of("k1", "acme", model, NOW)}
    missing = {gate for gate in charged if gate.identity not in known}
    assert {gate.kind for gate in missing if gate.whose != "model"} == {"requests"}, "a request stays used"
    assert {gate.kind for gate in missing if gate.whose == "model"} == (
        {"requests"} if model else {"requests", "tokens", "concurrency"}
    )


def test_a_slot_is_taken_only_by_what_was_charged() -> None:
    gates = tuple(call_gates_of(KEY))
    assert Reservation("a", NO_USAGE, NOW, gates, ()).has_slot
    assert not Reservation("a", NO_USAGE, NOW, gates, (), charged=False).has_slot
    assert not Reservation("a", NO_USAGE, NOW, gates[:1], ()).has_slot
