from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.models.catalog import ModelPrice
from gateway.models.cost import cost_nano_usd, sum_costs, to_usd, usd_text

tokens = st.integers(min_value=0, max_value=10_000_000)


def _price(prompt: str, completion: str = "0") -> ModelPrice:
    return ModelPrice(prompt_usd_per_million=Decimal(prompt), completion_usd_per_million=Decimal(completion))


@pytest.mark.parametrize(
    ("price", "prompt", "completion", "nano"),
    [
        (_price("0.15", "0.60"), 1000, 500, 450_000),
        (_price("3", "15"), 1_000_000, 1_000_000, 18_000_000_000),
        (_price("0.0001"), 1, 0, 0),
        (_price("0.0015"), 1, 0, 2),
        (_price("0"), 5000, 5000, 0),
        (None, 0, 0, 0),
    ],
)
def test_a_cost_is_exact_to_the_nano_dollar(price: ModelPrice | None, prompt: int, completion: int, nano: int) -> None:
    assert cost_nano_usd(price, prompt, completion) == nano


def test_an_unknown_price_is_null_and_never_zero() -> None:
    assert cost_nano_usd(None, 1) is None
    assert sum_costs(5, None, 7) is None
    assert sum_costs() == 0
    assert usd_text(None) is None


@given(tokens, tokens, st.decimals(min_value=0, max_value=1000, places=4))
def test_a_cost_is_within_half_a_nano_dollar_of_the_exact_one(prompt: int, completion: int, rate: Decimal) -> None:
    price = ModelPrice(prompt_usd_per_million=rate, completion_usd_per_million=rate)
    exact = (prompt + completion) * rate / Decimal(1_000_000)
    nano = cost_nano_usd(price, prompt, completion)
    assert nano is not None
    assert abs(Decimal(nano).scaleb(-9) - exact) <= Decimal("0.5e-9")


@pytest.mark.parametrize(("nano", "text"), [(0, "0"), (4_200, "0.0000042"), (12_000_000_000, "12"), (1, "0.000000001")])
def test_dollars_are_written_plainly(nano: int, text: str) -> None:
    assert usd_text(nano) == text
    assert to_usd(nano) == Decimal(text)


def test_cached_tokens_and_long_prompts_have_their_own_price() -> None:
    rates = {"prompt_usd_per_million": 2, "completion_usd_per_million": 10, "cached_prompt_usd_per_million": 1}
    long = {"prompt_usd_per_million": 4, "completion_usd_per_million": 20, "above_prompt_tokens": 1000}
    price = ModelPrice.model_validate({**rates, "tiers": [long]})
    assert cost_nano_usd(price, 1000, 10, cached=400) == (600 * 2 + 400 * 1 + 10 * 10) * 1000
    assert (
        cost_nano_usd(price, 1001, 10, cached=400) == (1001 * 4 + 10 * 20) * 1000
    )  # this tier has no price for cached
    assert cost_nano_usd(_price("2"), 100, cached=500) == 200_000
