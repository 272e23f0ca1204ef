"""Routes: which models a public name stands for, and in which order a call tries them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from contracts.models.catalog import ModelInfo
from contracts.models.routes import RouteSpec, RouteTarget
from gateway.auth.keys import Principal
from gateway.models.catalog import DEFAULT, Models
from gateway.models.errors import ModelNotFound, WrongModelKind
from gateway.routing.errors import RouteHasNoModel, RouteNotPlain
from gateway.routing.split import Assignment, draw, unit_of

Failure = Literal["error", "context_overflow", "refusal"]
Spec = TypeVar("Spec", bound=RouteSpec)


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


def plan_for(
    name: str,
    models: Models,
    routes: Mapping[str, RouteSpec],
    principal: Principal,
    assignment: Assignment | None = None,
) -> Plan:
    """What a chat model's name means to this key: a route, or a model that stands for itself.

    A route's name comes before a model's of the same name, so that a model can be given fallbacks without any change to
    its callers; inside a route names are always inference's. A call that was assigned no target of the route has its
    key's. Raises `ModelNotFound`, `WrongModelKind`, `RouteHasNoModel`, and `RouteNotPlain` where targets are answers
    themselves.
    """
    public, spec = route_named(name, models, routes)
    if spec is None:
        return Plan(public, (models.resolve(name, "chat", principal),))
    if not principal.allows_model(public):
        raise ModelNotFound(name)
    mine = assignment.target if assignment is not None and assignment.route == public else None
    if not (spec if mine is None else mine).is_plain:
        raise RouteNotPlain(public)
    drawn = [draw(spec, unit_of(public, principal.key_id)) if mine is None else mine] if spec.targets else []
    names = dict.fromkeys(target.model for target in (*drawn, *spec.targets) if target.is_plain)
    first = _chat_models(public, list(names), models)
    errors = _chat_models(public, spec.on_error, models)
    if not first and not errors:
        raise RouteHasNoModel(public)
    after: dict[Failure, tuple[ModelInfo, ...]] = {
        "error": errors,
        "context_overflow": _chat_models(public, spec.on_context_overflow, models),
        "refusal": _chat_models(public, spec.on_refusal, models),
    }
    return Plan(public, first or errors, after)


def route_named(name: str, models: Models, routes: Mapping[str, Spec]) -> tuple[str, Spec | None]:
    """What `default` is called, or the name itself; and the route of that name, if there is one, without what is
    another tenant's."""
    meant = models.only("chat") if name == DEFAULT else None
    public = meant.id if meant is not None else name
    spec = routes.get(public)
    return public, spec if spec is None or not models.hidden else _without(spec, models.hidden)


def _without(spec: Spec, hidden: frozenset[str]) -> Spec:
    """A route as a tenant has it that may not see some of its models: no call is drawn for those, or told of them."""
    targets = [target for target in spec.targets if not _names(target, hidden)]
    if not any(target.weight for target in targets):
        targets = targets[:1]
    shadow = None if spec.shadow is not None and _names(spec.shadow.target, hidden) else spec.shadow
    unchanged = len(targets) == len(spec.targets) and shadow == spec.shadow
    return spec if unchanged else spec.model_copy(update={"targets": targets, "shadow": shadow})


def _names(target: RouteTarget, hidden: frozenset[str]) -> bool:
    return bool(hidden & {target.model, target.groundwork.model if target.groundwork is not None else None})


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
