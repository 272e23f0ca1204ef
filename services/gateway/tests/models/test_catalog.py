from __future__ import annotations

from decimal import Decimal

import pytest

from contracts.models.catalog import ModelInfo, ModelPrice
from gateway.auth.keys import Principal
from gateway.models.catalog import Models
from gateway.models.errors import ModelNotFound, NoReader, NoReranker, WrongModelKind

PRICE = ModelPrice(prompt_usd_per_million=Decimal("1"), completion_usd_per_million=Decimal("2"))


CHAT = ModelInfo(id="m", kind="chat", default=True, price=PRICE)


FREE = ModelInfo(id="e", kind="embedding", price=ModelPrice(prompt_usd_per_million=Decimal("0.5")))


KEY = Principal("k1", "acme", frozenset({"chat"}))


def test_default_means_the_default_of_its_kind() -> None:
    models = Models.of([ModelInfo(id="z", kind="chat"), CHAT, FREE])
    assert models.resolve("default", "chat", KEY).id == "m"
    assert models.resolve("default", "embedding", KEY).id == "e"  # the only one of its kind
    with pytest.raises(NoReranker):
        models.resolve("default", "rerank", KEY)
    with pytest.raises(NoReader):
        models.resolve("default", "reading", None)
    with pytest.raises(WrongModelKind, match="embedding"):
        models.resolve("e", "chat", KEY)
    with pytest.raises(ModelNotFound):
        models.resolve("nope", "chat", KEY)


def test_a_model_of_any_kind_is_found_by_name_and_the_default_is_the_chat_model() -> None:
    models = Models.of([CHAT, FREE])
    assert [models.of_any_kind(name, KEY).id for name in ("default", "m", "e")] == ["m", "m", "e"]
    for name in ("nope", "rag:a"):
        with pytest.raises(ModelNotFound):
            models.of_any_kind(name, KEY)
    with pytest.raises(ModelNotFound):
        models.of_any_kind("m", Principal("k1", "acme", frozenset({"chat"}), models=("e",)))


def test_a_key_limited_to_models_sees_and_uses_only_those() -> None:
    limited = Principal("k1", "acme", frozenset({"chat"}), models=("e",))
    models = Models.of([CHAT, FREE])
    assert [model.id for model in models.visible_to(limited)] == ["e"]
    with pytest.raises(ModelNotFound):
        models.resolve("default", "chat", limited)
