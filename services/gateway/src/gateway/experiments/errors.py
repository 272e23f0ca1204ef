"""What can be wrong with a question for an experiment."""

from __future__ import annotations

from servicekit.core.errors import NotFound


class RouteNeverSplit(NotFound):
    """There is nothing to compare."""

    code = "route_never_split"

    def __init__(self, route: str) -> None:
        super().__init__(
            f"No version of the route '{route[:100]}' had two targets with a weight, or a shadow. Give it some by PUT "
            f"/v1/routes/{route[:100]}.",
            param="route",
        )
