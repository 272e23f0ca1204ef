"""What can be wrong with a route, or with the models behind it. One class a fact."""

from __future__ import annotations

from servicekit.core.errors import InvalidRequest, NotFound, NotReady


class RouteNotFound(NotFound):
    """No route with this name."""

    code = "route_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no route '{name[:100]}'. GET /v1/routes lists them.", param="name")


class RouteNameTaken(InvalidRequest):
    """A name that means something else."""

    code = "route_name_reserved"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'{name}' can't be a route: it means the configured default. Give the default model's own name a route, "
            "and 'default' follows it.",
            param="name",
        )


class RouteModelUnknown(InvalidRequest):
    """A route over a model that inference does not have."""

    code = "route_model_unknown"

    def __init__(self, model: str, param: str) -> None:
        super().__init__(
            f"Inference has no chat model '{model[:200]}'. GET /v1/models lists them; a route can't stand on another.",
            param=param,
        )


class RouteTargetUnknown(InvalidRequest):
    """A route over documents, a prompt or an agent that no tenant has."""

    code = "route_target_unknown"

    def __init__(self, model: str, param: str = "targets") -> None:
        super().__init__(
            f"No tenant has '{model[:200]}'. Make its collection, agent or prompt first, or correct the name.",
            param=param,
        )


class RouteCyclic(InvalidRequest):
    """A route that would lead to itself, or to another route."""

    code = "route_cyclic"

    def __init__(self, target: str, route: str, param: str = "targets") -> None:
        super().__init__(
            f"'{target[:200]}' leads to the route '{route[:100]}', and a route can't lead to one that answers from "
            "documents, prompts or agents, nor to another route by its name. Name what is behind that one instead.",
            param=param,
        )


class RouteNotPlain(InvalidRequest):
    """A route to answers, asked for where only a model can stand."""

    code = "route_not_plain"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'{name[:100]}' is a route to documents, prompts or agents. Inside another answer, for completions and "
            "for tokens only a plain model can be named, or a route to plain models.",
            param="model",
        )


class ShadowRefused(InvalidRequest):
    """A shadow that might do something, or that nobody pays for."""

    code = "shadow_refused"

    def __init__(self, why: str) -> None:
        super().__init__(f"This can't be a shadow: {why}", param="shadow")


class RouteVersionNotFound(NotFound):
    """No such version of a route."""

    code = "route_version_not_found"

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"The route '{name[:100]}' has no version {version}. GET /v1/routes/{name[:100]}/versions lists them.",
            param="version",
        )


class RouteHasNoModel(NotReady):
    """None of a route's models is there now."""

    code = "route_has_no_model"

    def __init__(self, name: str) -> None:
        super().__init__(f"None of the models behind '{name}' is there now. Try again, or use another.", retry_after=5)


class CircuitsOpen(NotReady):
    """All models that could answer have failed too often."""

    code = "circuit_open"

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(
            f"The models behind '{name}' keep failing and are left alone for a moment. Try again shortly.",
            retry_after=seconds,
        )
