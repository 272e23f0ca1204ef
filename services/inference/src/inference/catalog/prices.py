"""What models cost where the models file does not say: the list prices of their providers, from `genai-prices`.

The list is the one inside the installed package; nothing is fetched. A provider is known by its `base_url` alone, so
that a model on a server of one's own never gets somebody else's price.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import structlog

from contracts.models.catalog import ModelPrice, PriceTier
from inference.catalog.models_file import Model, ModelCatalog
from inference.catalog.sources import UpstreamSource

log = structlog.get_logger(__name__)


def add_list_prices(catalog: ModelCatalog) -> ModelCatalog:
    """The catalog, with a price for each model at a known provider that has none of its own."""
    if not any(_wants_price(model) for model in catalog.models):
        return catalog  # the list takes 70 MB, which a server without such models does not need
    models = tuple(with_list_price(model) for model in catalog.models)
    return catalog.model_copy(update={"models": models})


def list_price(base_url: str, upstream_model: str, moment: datetime) -> ModelPrice | None:
    """The list price at a moment; None where the provider or the model is not listed, or is paid in other ways."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, model = get_snapshot().find_provider_model(upstream_model, None, None, base_url)
    except LookupError:
        return None
    rates: Any = model.get_prices(moment)
    prompt = getattr(rates, "input_mtok", None)
    if prompt is None:
        return None
    completion, cached = getattr(rates, "output_mtok", None), getattr(rates, "cache_read_mtok", None)
    starts = sorted({tier.start for rate in (prompt, completion, cached) for tier in getattr(rate, "tiers", ())})
    return ModelPrice(
        prompt_usd_per_million=_rate(prompt, 0),
        completion_usd_per_million=_rate(completion, 0) if completion is not None else Decimal(0),
        cached_prompt_usd_per_million=None if cached is None else _rate(cached, 0),
        tiers=[
            PriceTier(
                above_prompt_tokens=start,
                prompt_usd_per_million=_rate(prompt, start),
                completion_usd_per_million=_rate(completion, start) if completion is not None else Decimal(0),
                cached_prompt_usd_per_million=None if cached is None else _rate(cached, start),
            )
            for start in starts
        ],
    )


def _wants_price(model: Model) -> bool:
    return model.price is None and isinstance(model.source, UpstreamSource)


def with_list_price(model: Model) -> Model:
    """The model, with the list price where it is at a known provider and has none of its own. Blocks."""
    source = model.source
    if not _wants_price(model) or not isinstance(source, UpstreamSource):
        return model
    price = list_price(source.base_url, source.upstream_model, datetime.now(UTC))
    if price is None:
        log.warning("no price is known: its cost is null, and who has a budget can't use it", model=model.name)
        return model
    log.info("list price", model=model.name, price=price.model_dump(mode="json", exclude_none=True))
    return model.model_copy(update={"price": price})


def _rate(rate: Any, tokens: int) -> Decimal:
    """A rate for prompts of more than so many tokens: a number, or one with tiers."""
    value = getattr(rate, "base", rate)
    for tier in getattr(rate, "tiers", ()):
        if tier.start <= tokens:
            value = tier.price
    return Decimal(value)
