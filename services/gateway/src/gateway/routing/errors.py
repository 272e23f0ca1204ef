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
