from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refusal, refused_field
from pydantic import TypeAdapter, ValidationError

from contracts.models.routes import MAX_MODELS, Route, RouteName, RouteSpec, RouteTarget, UpstreamState, VariantSettings

NAMES: TypeAdapter[str] = TypeAdapter(RouteName)


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ([], "at least 1 item"),
        ([{"model": "a", "weight": 0}], "at least one must have a weight above 0"),
        ([{"model": "a"}, {"model": "a"}], "each model can be named once"),
        ([{"model": f"m{at}"} for at in range(MAX_MODELS + 1)], f"at most {MAX_MODELS} items"),
        ([{"model": "\ud800"}], "surrogate"),
        ([{"model": ""}], "at least 1 item"),
        ([{"model": "a", "weight": -1}], "greater than or equal to 0"),
        ([{"model": "a", "share": 1}], "not permitted"),
    ],
)
def test_a_route_that_leads_nowhere_is_refused_with_the_reason(targets: list[Any], why: str) -> None:
    assert why in refusal(RouteSpec, {"targets": targets})[1]


def test_a_model_without_a_share_may_stand_behind_one_with_it() -> None:
    spec = RouteSpec.model_validate({"targets": [{"model": "a"}, {"model": "b", "weight": 0}], "on_error": ["a"]})
    assert [(target.model, target.weight) for target in spec.targets] == [("a", 1), ("b", 0)]
    assert (spec.on_context_overflow, spec.on_refusal) == ([], [])


@pytest.mark.parametrize("field", ["on_error", "on_context_overflow", "on_refusal"])
def test_a_route_falls_back_on_models_that_have_names_and_on_few(field: str) -> None:
    for models in ([""], ["\ud800"], ["m"] * (MAX_MODELS + 1)):
        assert refused_field(RouteSpec, {"targets": [{"model": "a"}], field: models}) == field


@pytest.mark.parametrize("name", ["", "rag:a", "agent:helper", "/a", ".a", "a b", "a\n", "ä", "a" * 101])
def test_a_route_s_name_is_never_that_of_an_answer_or_an_agent(name: str) -> None:
    with pytest.raises(ValidationError):
        NAMES.validate_python(name)


@pytest.mark.parametrize("name", ["a", "9", "org/model-7b.v1_x", "a" * 100])
def test_a_route_s_name_may_be_as_those_of_models_are(name: str) -> None:
    assert NAMES.validate_python(name) == name


def test_what_nobody_said_of_a_model_is_unknown_and_not_bad() -> None:
    state = UpstreamState(model="a", known=True)
    assert (state.ready, state.latency_ms, state.circuit, state.failures) == (None, None, "closed", 0)
    assert Route(name="a", configured=False, targets=[]).updated_at is None


def test_targets_of_one_model_are_told_apart_by_their_names() -> None:
    targets = [
        {"model": "rag:a", "name": name, "groundwork": {"top_k": top}} for name, top in (("few", 2), ("many", 9))
    ]
    spec = RouteSpec.model_validate({"targets": targets})
    assert ([target.variant for target in spec.targets], spec.is_plain, spec.is_split) == (["few", "many"], False, True)
    assert "give targets of one model" in refusal(RouteSpec, {"targets": [{"model": "rag:a"}, {"model": "rag:a"}]})[1]


def test_what_a_target_does_not_set_is_left_to_who_asks_also_once_it_was_stored() -> None:
    assert all(field.default is None for field in VariantSettings.model_fields.values())
    target = RouteTarget.model_validate({"model": "rag:a", "groundwork": {"top_k": 3}})
    stored = RouteTarget.model_validate(target.model_dump(mode="json"))
    assert {name: value for name, value in stored.groundwork or () if value is not None} == {"top_k": 3}


def test_only_answers_from_documents_have_settings() -> None:
    assert "only a rag: target" in refusal(RouteTarget, {"model": "m", "groundwork": {"top_k": 3}})[1]
