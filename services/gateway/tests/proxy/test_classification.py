from __future__ import annotations

from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.installation import EMBEDDER, Installation

from contracts.models.catalog import ModelInfo, ModelPrice
from contracts.models.classification import CATEGORIES, MAX_INPUT_CHARACTERS, ModerationRules
from gateway.auth.keys import Principal
from gateway.models.errors import ModelNotFound, NoClassifier, NoModeration, RulesUnusable, WrongModelKind
from gateway.proxy.classification import classify, moderate
from gateway.proxy.vector_calls import JUDGEMENT_TOKENS
from servicekit.core.errors import Unprocessable, UpstreamTimeout

DEAR = ModelPrice(prompt_usd_per_million=3, completion_usd_per_million=7)
RULES = ModerationRules(categories={"rude": "harassment", "cruel": "harassment", "spam": "spam"}, threshold=0.6)
HEAD = ModelInfo(id="e+triage", kind="classification", embedding_model="e", moderation=RULES, default=True)
GUARD = ModelInfo(id="guard", kind="classification", price=DEAR)
READ = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "truncated": 0}
CLASSIFIED = {"model": "x", "results": [], "usage": READ}
BY_LABELS = {"labels": ["abc", {"label": "x", "text": "abcabc"}]}


def _key(**more: Any) -> Principal:
    return Principal("k1", "acme", frozenset({"chat"}), **more)


def _offer(installation: Installation, *models: ModelInfo) -> None:
    installation.offer(*models)
    installation.deps.catalog.discard()


async def _classify(installation: Installation, key: Principal | None = None, **more: Any) -> Caller:
    caller = Caller.of({"input": ["abc", "abcabc"], **more})
    async with installation.deps.meter.call(key or _key(), "classify", "req_1") as call:
        await classify(caller.exchange, installation.deps, call)
    return caller


async def _moderate(installation: Installation, key: Principal | None = None, **more: Any) -> Caller:
    caller = Caller.of({"input": "abc", **more})
    async with installation.deps.meter.call(key or _key(), "moderation", "req_1") as call:
        await moderate(caller.exchange, installation.deps, call)
    return caller


async def test_a_classification_by_labels_is_charged_as_what_its_model_embeds(installation: Installation) -> None:
    installation.inference.answers("/v1/classify", CLASSIFIED)
    assert (await _classify(installation, **BY_LABELS)).json == CLASSIFIED
    assert installation.inference.asked[-1].json["model"] == "e"
    (row,) = await installation.rows()
    assert (row["route"], row["embedding_tokens"], row["cost_nano_usd"]) == ("classify", 9, 9000)


async def test_a_classification_reserves_its_inputs_and_its_labels(installation: Installation) -> None:
    installation.inference.answers("/v1/classify", {"results": []})
    await _classify(installation, **BY_LABELS)
    (row,) = await installation.rows()
    assert (row["embedding_tokens"], row["estimated"]) == (14, True)


async def test_without_labels_the_default_is_a_classification_model_and_with_them_an_embedding_model(
    installation: Installation,
) -> None:
    _offer(installation, EMBEDDER, HEAD, GUARD)
    installation.inference.answers("/v1/classify", CLASSIFIED)
    for more, chosen in (({}, "e+triage"), (BY_LABELS, "e"), ({"model": "guard"}, "guard")):
        await _classify(installation, **more)
        assert installation.inference.asked[-1].json["model"] == chosen


async def test_a_head_costs_what_its_embedding_model_does_unless_it_has_a_price(installation: Installation) -> None:
    _offer(installation, EMBEDDER, HEAD, HEAD.model_copy(update={"id": "dear", "price": DEAR, "default": False}))
    installation.inference.answers("/v1/classify", CLASSIFIED)
    for name in ("e+triage", "dear"):
        await _classify(installation, model=name)
    rows = await installation.rows()
    assert {row["model"]: (row["embedding_tokens"], row["cost_nano_usd"]) for row in rows} == {
        "e+triage": (9, 9000),
        "dear": (9, 27000),
    }


async def test_a_guard_is_charged_for_what_it_reads_and_writes(installation: Installation) -> None:
    _offer(installation, EMBEDDER, GUARD)
    installation.inference.answers("/v1/classify", CLASSIFIED)
    await _classify(installation, model="guard")
    (row,) = await installation.rows()
    assert (row["prompt_tokens"], row["completion_tokens"], row["cost_nano_usd"]) == (9, 2, 27000 + 14000)


async def test_a_guard_that_took_too_long_is_charged_as_it_was_let_in(installation: Installation) -> None:
    _offer(installation, EMBEDDER, GUARD)
    installation.inference.answers("/v1/classify", UpstreamTimeout("x"))
    with pytest.raises(UpstreamTimeout):
        await _classify(installation, model="guard")
    (row,) = await installation.rows()
    assert (row["prompt_tokens"], row["completion_tokens"], row["estimated"]) == (3, 2 * JUDGEMENT_TOKENS, True)


async def test_a_key_classifies_only_by_a_model_that_it_may_use(installation: Installation) -> None:
    _offer(installation, EMBEDDER, HEAD)
    for more in ({}, BY_LABELS, {"model": "e+triage"}):
        with pytest.raises(ModelNotFound):
            await _classify(installation, _key(models=("m",)), **more)
    with pytest.raises(ModelNotFound):
        await _moderate(installation, _key(models=("m",)))


async def test_what_does_not_classify_is_refused(installation: Installation) -> None:
    with pytest.raises(NoClassifier):
        await _classify(installation)
    _offer(installation, EMBEDDER, HEAD, ModelInfo(id="m", kind="chat"))
    with pytest.raises(WrongModelKind):
        await _classify(installation, model="m", **BY_LABELS)


@pytest.mark.parametrize("name", [None, "default", "omni-moderation-latest", "text-moderation-007", "e+triage"])
async def test_a_category_has_the_highest_score_of_its_labels_and_is_flagged_from_the_threshold_on(
    installation: Installation, name: str | None
) -> None:
    _offer(installation, EMBEDDER, HEAD)
    scores = [{"rude": 0.61, "cruel": 0.2, "spam": 0.19, "fine": 0.0}, {"rude": 0.3, "cruel": 0.3, "spam": 0.4}]
    results = [{"label": "rude", "scores": each} for each in scores]
    installation.inference.answers("/v1/classify", {"model": "e+triage", "results": results, "usage": READ})
    reply = (await _moderate(installation, **({} if name is None else {"model": name}))).json
    first, second = reply["results"]
    assert (first["flagged"], second["flagged"]) == (True, False)
    assert {name for name, is_flagged in first["categories"].items() if is_flagged} == {"harassment"}
    assert (first["category_scores"]["harassment"], first["category_scores"]["spam"]) == (0.61, 0.19)
    assert set(first["categories"]) == {*CATEGORIES, "spam"}
    applied = first["category_applied_input_types"]
    assert (applied["harassment"], applied["spam"], applied["violence"]) == (["text"], ["text"], [])
    assert reply["id"].startswith("modr")
    (row,) = await installation.rows()
    assert (row["route"], row["embedding_tokens"], row["cost_nano_usd"]) == ("moderation", 9, 9000)


async def test_all_of_a_text_is_moderated_and_parts_of_one_input_are_one_text(installation: Installation) -> None:
    _offer(installation, EMBEDDER, HEAD)
    installation.inference.answers("/v1/classify", CLASSIFIED)
    await _moderate(installation, input=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
    asked = installation.inference.asked[-1].json
    assert (asked["input"], asked["long_inputs"]) == (["a\nb"], "highest")


async def test_a_text_is_not_let_through_for_a_label_that_the_model_does_not_have(installation: Installation) -> None:
    """It is misspelt in the rules, or the model was replaced since they were read."""
    _offer(installation, EMBEDDER, HEAD)
    results = [{"label": "cruel", "scores": {"rude": 0.0, "cruel": 0.0, "Spam": 1.0}}]
    installation.inference.answers("/v1/classify", {"model": "e+triage", "results": results, "usage": READ})
    with pytest.raises(RulesUnusable, match="'spam', which it does not have") as refused:
        await _moderate(installation)
    assert (refused.value.http_status, refused.value.code) == (409, "rules_unusable")
    _offer(installation, EMBEDDER, HEAD.model_copy(update={"moderation": ModerationRules(categories={"Spam": "spam"})}))
    (first,) = (await _moderate(installation)).json["results"]
    assert first["flagged"]


async def test_parts_that_are_too_long_together_are_refused_as_one_text_would_be(installation: Installation) -> None:
    _offer(installation, EMBEDDER, HEAD)
    part = {"type": "text", "text": "x" * (MAX_INPUT_CHARACTERS // 2)}
    with pytest.raises(Unprocessable, match="its parts together"):
        await _moderate(installation, input=[part, part])


async def test_moderation_needs_a_model_with_rules(installation: Installation) -> None:
    for offered in ((EMBEDDER,), (EMBEDDER, GUARD)):
        _offer(installation, *offered)
        with pytest.raises(NoModeration):
            await _moderate(installation)
    _offer(installation, EMBEDDER, HEAD, GUARD)
    with pytest.raises(NoModeration):
        await _moderate(installation, model="guard")
    for name in ("nope", "omni-moderation/../x"):
        with pytest.raises(ModelNotFound):
            await _moderate(installation, model=name)
