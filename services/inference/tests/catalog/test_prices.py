from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from contracts.access.keys import Limits
from inference.catalog.models_file import ModelCatalog, ModelsFileInvalid, load_models_file
from inference.catalog.prices import add_list_prices, list_price

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OPENAI = "https://api.openai.com/v1"


def _catalog(tmp_path: Path, rows: str) -> ModelCatalog:
    file = tmp_path / "models.yaml"
    file.write_text(f"models:\n{rows}")
    return load_models_file(file)


def _upstream(base_url: str, model: str, more: str = "") -> str:
    return (
        "  - {name: m, kind: chat, engine: openai, context_length: 8192, "
        f"source: {{base_url: '{base_url}', upstream_model: {model}}}{more}}}\n"
    )


def test_a_listed_model_of_a_known_provider_has_its_list_price(tmp_path: Path) -> None:
    price = add_list_prices(_catalog(tmp_path, _upstream(OPENAI, "gpt-4.1-mini"))).models[0].price
    assert price is not None
    assert price.prompt_usd_per_million > 0
    assert price.completion_usd_per_million > price.prompt_usd_per_million
    assert price.cached_prompt_usd_per_million is not None
    assert price.cached_prompt_usd_per_million < price.prompt_usd_per_million
    assert isinstance(price.prompt_usd_per_million, Decimal)


def test_long_prompts_have_the_price_of_their_tier() -> None:
    price = list_price("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro", NOW)
    assert price is not None
    (tier,) = price.tiers
    assert tier.above_prompt_tokens >= 100_000
    assert tier.prompt_usd_per_million > price.prompt_usd_per_million
    assert tier.completion_usd_per_million > price.completion_usd_per_million


@pytest.mark.parametrize("base_url", ["http://vllm:8000/v1", "http://127.0.0.1:11434/v1", "https://openai.example/v1"])
def test_a_server_of_ones_own_never_gets_somebody_elses_price(base_url: str) -> None:
    assert list_price(base_url, "gpt-4.1-mini", NOW) is None


def test_a_model_that_is_not_listed_has_no_price() -> None:
    assert list_price(OPENAI, "no-such-model", NOW) is None


def test_an_own_price_wins(tmp_path: Path) -> None:
    own = ", price: {prompt_usd_per_million: 0, completion_usd_per_million: 7}"
    price = add_list_prices(_catalog(tmp_path, _upstream(OPENAI, "gpt-4.1-mini", own))).models[0].price
    assert price is not None
    assert (price.prompt_usd_per_million, price.completion_usd_per_million) == (0, 7)


def test_a_gpu_hour_is_shared_by_its_tokens(tmp_path: Path) -> None:
    by_hour = ", price: {gpu_hour_usd: 2.5, gpus: 2, tokens_per_hour: 10000000}, limits: {concurrency: 8}"
    model = _catalog(tmp_path, _upstream("http://vllm:8000/v1", "qwen", by_hour)).models[0]
    assert model.price is not None
    assert model.price.prompt_usd_per_million == model.price.completion_usd_per_million == Decimal("0.5")
    assert model.limits == Limits(concurrency=8)


def test_a_gpu_price_that_does_not_add_up_names_its_field(tmp_path: Path) -> None:
    with pytest.raises(ModelsFileInvalid, match="tokens_per_hour"):
        _catalog(tmp_path, _upstream("http://vllm:8000/v1", "qwen", ", price: {gpu_hour_usd: 2.5}"))
