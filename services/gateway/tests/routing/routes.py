"""Models, keys and routes to plan with."""

from __future__ import annotations

from contracts.models.catalog import ModelInfo
from contracts.models.routes import RouteSpec
from gateway.auth.keys import Principal
from gateway.models.catalog import Models

MODELS = Models.of([ModelInfo(id=name, kind="chat", default=name == "a", context_length=100) for name in "abcd"])


def key_of(number: int = 1, **more: object) -> Principal:
    return Principal(f"k{number}", "acme", frozenset({"chat"}), **more)  # type: ignore[arg-type]


def route_of(**weights: int) -> RouteSpec:
    targets = [{"model": name, "weight": weight} for name, weight in weights.items()]
    return RouteSpec.model_validate(
        {"targets": targets, "on_error": ["c"], "on_context_overflow": ["d"], "on_refusal": ["d", "c"]}
    )
