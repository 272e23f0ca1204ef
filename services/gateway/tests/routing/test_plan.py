from __future__ import annotations

from collections import Counter

import pytest
from services.gateway.tests.routing.routes import MODELS, key_of, route_of

from contracts.models.catalog import ModelInfo
from contracts.models.routes import RouteSpec
from gateway.models.catalog import Models
from gateway.routing.errors import RouteHasNoModel
from gateway.routing.plan import FallbackSequence, Plan, plan_for, route_named
from gateway.routing.report import listed_models


def test_keys_are_shared_out_by_weight_and_each_keeps_its_model() -> None:
    routes = {"smart": route_of(a=3, b=1)}
    first = [plan_for("smart", MODELS, routes, key_of(number)).first[0].id for number in range(2000)]
    assert first == [plan_for("smart", MODELS, routes, key_of(number)).first[0].id for number in range(2000)]
    shares = Counter(first)
    assert 0.70 < shares["a"] / 2000 < 0.80
    assert shares["a"] + shares["b"] == 2000


def test_a_target_without_weight_is_only_a_fallback() -> None:
    plans = [plan_for("smart", MODELS, {"smart": route_of(a=1, b=0)}, key_of(number)) for number in range(50)]
    assert {tuple(model.id for model in plan.first) for plan in plans} == {("a", "b")}


def _walk(plan: Plan, *failures: str) -> list[str]:
    sequence = FallbackSequence(plan)
    walked = [sequence.current]
    for failure in failures:
        if sequence.after(failure) is not None:  # type: ignore[arg-type]
            walked += [sequence.current]
    return walked


def test_each_kind_of_failure_has_its_own_way_and_no_model_is_tried_twice() -> None:
    plan = plan_for("smart", MODELS, {"smart": route_of(a=1, b=0)}, key_of())
    assert _walk(plan, "error", "error", "error") == ["a", "b", "c"]
    assert _walk(plan, "context_overflow", "context_overflow") == ["a", "d"]
    assert _walk(plan, "refusal", "refusal", "refusal") == ["a", "d", "c"]
    assert _walk(plan, "error", "context_overflow", "error") == ["a", "b", "d", "c"]


def test_a_route_may_have_a_models_name_and_default_follows_it() -> None:
    routes = {"a": route_of(b=1)}
    assert [plan_for(name, MODELS, routes, key_of()).first[0].id for name in ("a", "default", "b")] == ["b", "b", "b"]
    (listed,) = [model for model in listed_models(MODELS, routes) if model.id == "a"]
    assert (listed.default, listed.context_length) == (True, 100)


def test_a_route_is_listed_with_the_kinds_of_what_answers_by_it() -> None:
    names = ("rag:a", "agent:b", "prompt:c@1", "d", "rag:e")
    spec = RouteSpec.model_validate({"targets": [{"model": name} for name in names]})
    kinds = {model.id: model.target_kinds for model in listed_models(MODELS, {"smart": spec})}
    assert (kinds["smart"], kinds["a"]) == (["rag", "agent", "prompt", "chat"], None)


def test_a_route_outlives_models_that_inference_no_longer_has() -> None:
    gone = RouteSpec.model_validate({"targets": [{"model": "gone"}], "on_error": ["c"]})
    assert plan_for("smart", MODELS, {"smart": gone}, key_of()).first[0].id == "c"
    with pytest.raises(RouteHasNoModel):
        plan_for("smart", MODELS, {"smart": gone.model_copy(update={"on_error": []})}, key_of())


def test_a_route_leads_a_tenant_to_no_model_of_another_one_nor_names_it() -> None:
    own = ModelInfo(id="a+acme.s", kind="chat", tenant="acme")
    models = Models.of([*MODELS.by_name.values(), own])
    shadow = {"name": "shadow", "model": own.id, "share": 1, "key_id": "k"}
    split = RouteSpec.model_validate({"targets": [{"model": own.id}, {"model": "b"}], "shadow": shadow})
    last = RouteSpec.model_validate({"targets": [{"model": own.id}, {"model": "b", "weight": 0}]})
    only = RouteSpec.model_validate({"targets": [{"model": own.id}]})
    routes = {"split": split, "last": last, "only": only}
    for name in routes:
        plans = [plan_for(name, models.of_tenant("acme"), routes, key_of(number)) for number in range(40)]
        assert own.id in {plan.first[0].id for plan in plans}
    theirs = models.of_tenant("other")
    for number in range(40):
        assert [one.id for one in plan_for("split", theirs, routes, key_of(number)).models] == ["b"]
        assert [one.id for one in plan_for("last", theirs, routes, key_of(number)).models] == ["b"]
    with pytest.raises(RouteHasNoModel):
        plan_for("only", theirs, routes, key_of())
    seen = route_named("split", theirs, routes)[1]
    assert seen is not None
    assert ([target.model for target in seen.targets], seen.shadow) == (["b"], None)
