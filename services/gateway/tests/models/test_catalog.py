from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from contracts.models.catalog import ModelInfo, ModelList, ModelPrice
from contracts.models.tuning import TunedFrom
from gateway.auth.keys import Principal
from gateway.models.catalog import Catalog, Models
from gateway.models.errors import ModelNotFound, NoReader, NoReranker, WrongModelKind
from servicekit.core.clock import ManualClock
from servicekit.core.errors import UpstreamFailed

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


def test_an_embedding_model_over_another_one_costs_what_that_does_or_its_own_price() -> None:
    over = ModelInfo(id="e+manuals", kind="embedding", embedding_model="e")
    dear = over.model_copy(update={"id": "dear", "price": PRICE})
    lost = over.model_copy(update={"id": "lost", "embedding_model": "gone"})
    models = Models.of([over, dear, lost, FREE])
    assert [models.price(name) for name in ("e+manuals", "dear", "lost")] == [FREE.price, PRICE, None]


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


def test_a_ranking_by_a_reading_model_costs_what_that_does_and_is_nobody_s_default() -> None:
    reader = ModelInfo(id="reads", kind="reading", price=PRICE)
    tuned = TUNED.model_copy(update={"parent": "reads", "method": "rerank"})
    models = Models.of([reader, ModelInfo(id="reads+a", kind="rerank", tenant="acme", tuned=tuned)])
    assert models.price("reads+a") == PRICE
    assert models.resolve("reads+a", "rerank", KEY).id == "reads+a"
    with pytest.raises(ModelNotFound):
        models.resolve("default", "rerank", KEY)


TUNED = TunedFrom(parent="m", job="j", digest="sha256:a", method="supervised", training_set="set:s@1")
OWN = ModelInfo(id="m+acme.s", kind="chat", tenant="acme", tuned=TUNED)
HIDDEN = ModelInfo(id="m+acme.j", kind="chat", tenant="acme", tuned=TUNED.model_copy(update={"stage": "candidate"}))


def test_a_tenant_s_own_model_is_found_by_its_keys_alone_and_a_candidate_by_nobody() -> None:
    models = Models.of([CHAT, OWN, HIDDEN])
    mine, theirs = models.of_tenant("acme"), models.of_tenant("other")
    assert (set(mine.by_name), set(theirs.by_name)) == ({"m", "m+acme.s"}, {"m"})
    assert (mine.hidden, theirs.hidden) == ({"m+acme.j"}, {"m+acme.j", "m+acme.s"})
    assert mine.resolve("m+acme.s", "chat", KEY).id == "m+acme.s"
    for name, seen in (("m+acme.s", theirs), ("m+acme.j", mine), ("m+acme.j", theirs)):
        with pytest.raises(ModelNotFound):
            seen.resolve(name, "chat", KEY)
    assert models.of_tenant("another") is theirs


def test_a_tenant_s_own_model_is_no_default_also_where_it_is_beside_the_only_other_one() -> None:
    plain = CHAT.model_copy(update={"default": False})
    head = ModelInfo(id="e+acme.h", kind="classification", tenant="acme")
    models = Models.of([plain, OWN, FREE, head]).of_tenant("acme")
    assert models.resolve("default", "chat", KEY).id == "m"
    with pytest.raises(ModelNotFound):
        models.resolve("default", "classification", KEY)


class Inference:
    """Stands for the peer and for what signs calls of it: tells of one list of models after another."""

    def __init__(self, *told: list[ModelInfo]) -> None:
        self._told = list(told)
        self.asked = 0
        self.away = False

    async def call(self, *_: object, **__: object) -> ModelList:
        self.asked += 1
        if self.away:
            raise UpstreamFailed("inference does not answer")
        return ModelList(data=self._told.pop(0))

    def own_token(self, *_: object) -> str:
        return "token"


async def test_a_model_that_falls_asleep_or_does_not_answer_is_no_other_one() -> None:
    ready = CHAT.model_copy(update={"state": "ready"})
    asleep = ready.model_copy(update={"asleep": True})
    silent = ready.model_copy(update={"state": "not_answering", "reason": "it hangs"})
    inference: Any = Inference([ready], [asleep], [ready], [silent], [ready.model_copy(update={"digest": "sha256:b"})])
    changed: list[str] = []
    catalog = Catalog(inference, inference, ManualClock(), 60.0, changed.append)
    for _ in range(4):
        await catalog.models("acme")
        catalog.discard()
    assert changed == []
    await catalog.models("acme")
    assert changed == ["m"]


async def test_a_model_that_was_published_a_moment_ago_is_found_by_its_name() -> None:
    tuned = CHAT.model_copy(update={"id": "m+support", "default": False})
    clock = ManualClock()
    inference: Any = Inference([CHAT], [CHAT, tuned], [CHAT])
    catalog = Catalog(inference, inference, clock, 60.0)
    assert set((await catalog.models("acme", "m+support")).by_name) == {"m"}, "read this moment"
    clock.advance(1.5)
    assert set((await catalog.models("acme")).by_name) == {"m"}
    for known in ("m", "default", "rag:handbook", "agent:a"):
        await catalog.models("acme", known)
    assert inference.asked == 1
    assert set((await catalog.models("acme", "m+support")).by_name) == {"m", "m+support"}
    for name in ("nobody-s", "nobody-s-either"):
        await catalog.models("acme", name)
    assert inference.asked == 2, "who guesses names has it asked once a second"


async def test_a_list_that_people_see_is_a_second_old_at_most_and_stays_while_inference_is_away() -> None:
    tuned = CHAT.model_copy(update={"id": "m+support", "default": False})
    clock = ManualClock()
    inference: Any = Inference([CHAT], [CHAT, tuned])
    catalog = Catalog(inference, inference, clock, 60.0)
    assert set((await catalog.shown("acme")).by_name) == {"m"}
    clock.advance(0.5)
    assert set((await catalog.shown("acme")).by_name) == {"m"}
    assert inference.asked == 1
    clock.advance(1.0)
    assert set((await catalog.shown("acme")).by_name) == {"m", "m+support"}
    clock.advance(1.5)
    inference.away = True
    assert set((await catalog.shown("acme")).by_name) == {"m", "m+support"}
    clock.advance(60.0)
    with pytest.raises(UpstreamFailed):
        await catalog.shown("acme")
