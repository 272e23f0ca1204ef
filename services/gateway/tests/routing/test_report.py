from __future__ import annotations

import pytest

from contracts.access.routes import RouteSpec
from contracts.models.catalog import ModelInfo
from gateway.auth.keys import Principal
from gateway.models.catalog import Models
from gateway.models.errors import ModelNotFound
from gateway.routing.plan import plan_for

MODELS = Models.of([ModelInfo(id=name, kind="chat", default=name == "a", context_length=100) for name in "abcd"])


def _key(number: int = 1, **more: object) -> Principal:
    return Principal(f"k{number}", "acme", frozenset({"chat"}), **more)  # type: ignore[arg-type]


def _spec(**weights: int) -> RouteSpec:
    targets = [{"model": name, "weight": weight} for name, weight in weights.items()]
    return RouteSpec.model_validate(
        {"targets": targets, "on_error": ["c"], "on_context_overflow": ["d"], "on_refusal": ["d", "c"]}
    )


def test_a_key_for_a_route_needs_no_right_to_the_models_behind_it() -> None:
    routes = {"smart": _spec(a=1)}
    assert plan_for("smart", MODELS, routes, _key(models=("smart",))).first[0].id == "a"
    with pytest.raises(ModelNotFound):
        plan_for("smart", MODELS, routes, _key(models=("a",)))
