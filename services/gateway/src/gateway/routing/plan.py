"""Routes: which models a public name stands for, and in which order a call tries them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from contracts.access.routes import RouteSpec, RouteTarget
from contracts.models.catalog import ModelInfo
from gateway.auth.keys import Principal
from gateway.models.catalog import DEFAULT, Models
from gateway.models.errors import ModelNotFound, WrongModelKind
from gateway.routing.errors import RouteHasNoModel

Failure = Literal["error", "context_overflow", "refusal"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one call may try: `first` in order, and after each kind of failure what may follow."""

    name: str
    first: tuple[ModelInfo, ...]
    after: Mapping[Failure, tuple[ModelInfo, ...]] = field(default_factory=dict)

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """All of them, each once."""
        found = {model.id: model for models in (self.first, *self.after.values()) for model in models}
        return tuple(found.values())

    @property
    def has_choice(self) -> bool:
        """Whether there is more than one model to try."""
        return len(self.first) > 1 or any(self.after.values())


def plan_for(name: str, models: Models, routes: Mapping[str, RouteSpec], principal: Principal) -> Plan:
    """What a chat model's name means to this key: a route, or a model that stands for itself.

    A route's name comes before a model's of the same name, so that a model can be given fallbacks without any change to
    its callers; inside a route names are always inference's. Raises `ModelNotFound`, `WrongModelKind`,
    `RouteHasNoModel`.
    """
    meant = models.only("chat") if name == DEFAULT else None
    public = meant.id if meant is not None else name
    spec = routes.get(public)
    if spec is None:
        return Plan(public, (models.resolve(name, "chat", principal),))
    if not principal.allows_model(public):
        raise ModelNotFound(name)
    first = _chat_models(public, [target.model for target in _drawn(spec.targets, public, principal.key_id)], models)
    errors = _chat_models(public, spec.on_error, models)
    if not first and not errors:
        raise RouteHasNoModel(public)
    after: dict[Failure, tuple[ModelInfo, ...]] = {
        "error": errors,
        "context_overflow": _chat_models(public, spec.on_context_overflow, models),
        "refusal": _chat_models(public, spec.on_refusal, models),
    }
    return Plan(public, first or errors, after)


def _drawn(targets: Sequence[RouteTarget], route: str, key_id: str) -> Iterator[RouteTarget]:
    """The target that a key was drawn for, then the others in order."""
    total = sum(target.weight for target in targets)
    point = int.from_bytes(hashlib.sha256(f"{route}\0{key_id}".encode()).digest()[:8], "big") % total
    for target in targets:
        point -= target.weight
        if point < 0:
            yield target
            yield from (other for other in targets if other is not target)
            return


def _chat_models(route: str, names: Sequence[str], models: Models) -> tuple[ModelInfo, ...]:
    """Those that inference has now; a route outlives its models."""
    known = [models.by_name[name] for name in names if name in models.by_name]
    for model in known:
        if model.kind != "chat":
            raise WrongModelKind(f"{model.id} (of the route {route})"[:200], model.kind, "chat")
    return tuple(known)


class FallbackSequence:
    """The way of one call through its plan: which model is next, after each failure."""

    def __init__(self, plan: Plan, preferred: Sequence[ModelInfo] | None = None) -> None:
        self._plan = plan
        self._left = list(preferred if preferred is not None else plan.first)
        self._tried: set[str] = set()
        self.model = self._take()

    @property
    def current(self) -> str:
        """The id of the model that is next."""
        return self.model.id if self.model is not None else ""

    def has_tried(self, model: ModelInfo) -> bool:
        """Whether the call was at this model already."""
        return model.id in self._tried

    def after(self, failure: Failure) -> ModelInfo | None:
        """The next model after this one failed so; None when there is none. No model is tried in two places."""
        if failure != "error":
            self._left = []  # the others of the route are no answer to what was wrong
        self._left += [model for model in self._plan.after.get(failure, ()) if model not in self._left]
        model = self._take()
        if model is not None:
            self.model = model
        return model

    def _take(self) -> ModelInfo | None:
        while self._left:
            model = self._left.pop(0)
            if model.id not in self._tried:
                self._tried.add(model.id)
                return model
        return None
