"""`GET /v1/routes`: every public chat model, what is behind it, and how that does."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.models.catalog import ModelInfo
from contracts.models.routes import Route, RouteSpec, RouteTarget, UpstreamState
from gateway.models.catalog import Models
from gateway.routing.circuit_breaker import Breakers


def listed_models(models: Models, routes: Mapping[str, RouteSpec]) -> list[ModelInfo]:
    """Inference's models, and each route as a model of its own name: what all of its targets can do."""
    names = {**dict.fromkeys(models.by_name), **dict.fromkeys(routes)}
    return [_as_model(name, routes[name], models) if name in routes else models.by_name[name] for name in names]


def report(
    models: Models, routes: Mapping[str, RouteSpec], breakers: Breakers, ready: Mapping[str, bool]
) -> list[Route]:
    """The routes, then the chat models that stand for themselves."""
    plain = [model.id for model in models.by_name.values() if model.kind == "chat" and model.id not in routes]
    specs = {**routes, **{name: RouteSpec(targets=[RouteTarget(model=name)]) for name in plain}}
    return [_route(name, spec, name in routes, models, breakers, ready) for name, spec in specs.items()]


def _route(
    name: str, spec: RouteSpec, configured: bool, models: Models, breakers: Breakers, ready: Mapping[str, bool]
) -> Route:
    behind = [target.model for target in spec.targets if target.is_plain]
    behind += [*spec.on_error, *spec.on_context_overflow, *spec.on_refusal]
    states = [_state(model, models, breakers, ready) for model in dict.fromkeys(behind)]
    return Route(name=name, configured=configured, upstreams=states, **dict(spec))


def _state(model: str, models: Models, breakers: Breakers, ready: Mapping[str, bool]) -> UpstreamState:
    requests, failures = breakers.counts(model)
    latency = breakers.latency(model)
    return UpstreamState(
        model=model,
        known=model in models.by_name,
        ready=ready.get(model),
        circuit=breakers.state(model),
        requests=requests,
        failures=failures,
        latency_ms=None if latency is None else round(latency * 1000, 1),
    )


def _as_model(name: str, spec: RouteSpec, models: Models) -> ModelInfo:
    behind = [models.by_name[target.model] for target in spec.targets if target.model in models.by_name]
    lengths = [model.context_length for model in behind if model.context_length is not None]
    prices = [model.price for model in behind]
    shadowed = models.by_name.get(name)
    return ModelInfo(
        id=name,
        kind="chat",
        target_kinds=list(dict.fromkeys(target.kind for target in spec.targets)),
        context_length=min(lengths, default=None),
        answer_tokens=min((model.answer_tokens for model in behind if model.answer_tokens), default=None),
        input_tokens_per_second=min(
            (model.input_tokens_per_second for model in behind if model.input_tokens_per_second), default=None
        ),
        default=shadowed is not None and shadowed.default,
        packaged=bool(behind) and all(model.packaged for model in behind),
        images=(bool(behind) and all(model.images for model in behind)) or None,
        price=prices[0] if behind and all(price == prices[0] for price in prices) else None,
    )
