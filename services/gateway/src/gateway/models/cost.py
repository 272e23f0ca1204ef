"""Money in whole nano-dollars, computed in decimals: what tokens cost at a model's price."""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from contracts.models.catalog import ModelPrice, PriceTier

NANO = Decimal("1e-9")
MOST_TOKENS = 2**31 - 1
"""What one attempt may claim to want or to have used: sums of such numbers, and of their costs, fit into a ledger."""
_NANO_PER_MILLIONTH = Decimal(1000)  # 1e9 nano-dollars over 1e6 tokens


def cost_nano_usd(price: ModelPrice | None, prompt: int, completion: int = 0, cached: int = 0) -> int | None:
    """The cost of a call; null without a price, unless there was nothing to pay for.

    `cached` of the prompt's tokens were read from the upstream's cache, at their own price if they have one.
    """
    if prompt == 0 and completion == 0:
        return 0
    if price is None:
        return None
    rates: ModelPrice | PriceTier = price
    for tier in price.tiers:
        if prompt > tier.above_prompt_tokens:
            rates = tier
    cached = min(cached, prompt) if rates.cached_prompt_usd_per_million is not None else 0
    exact = (prompt - cached) * rates.prompt_usd_per_million + completion * rates.completion_usd_per_million
    exact += cached * (rates.cached_prompt_usd_per_million or 0)
    return int((exact * _NANO_PER_MILLIONTH).quantize(Decimal(1), ROUND_HALF_EVEN))


def training_nano_usd(price: ModelPrice | None, tokens: int) -> int:
    """The cost of learning from so many tokens; nothing where no price is said: it is this machine that learns."""
    rate = Decimal(0) if price is None else price.training_usd_per_million
    return int((tokens * rate * _NANO_PER_MILLIONTH).quantize(Decimal(1), ROUND_HALF_EVEN))


def sum_costs(*costs: int | None) -> int | None:
    """The sum; null as soon as one part is unknown."""
    total = 0
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total


def to_nano_usd(usd: Decimal) -> int:
    """Whole nano-dollars, rounded down: a budget is never more than it says."""
    return int((usd / NANO).to_integral_value(ROUND_FLOOR))


def to_usd(nano: int) -> Decimal:
    """Dollars, without trailing zeros and never in exponent form: `0.0000042`, `0`, `12`."""
    dollars = (Decimal(nano) * NANO).normalize()
    return dollars.quantize(Decimal(1)) if dollars == dollars.to_integral_value() else dollars


def usd_text(nano: int | None) -> str | None:
    """A receipt's `cost_usd`."""
    return None if nano is None else f"{to_usd(nano):f}"
