"""What can be wrong with a monitor."""

from __future__ import annotations

from servicekit.core.errors import Conflict, Forbidden, InvalidRequest, NotFound


class MonitorNotFound(NotFound):
    """There is none of that name, or it is somebody else's."""

    code = "monitor_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no monitor '{name[:63]}'. GET /v1/monitors lists them.", param="name")


class MonitorExists(Conflict):
    """Its figures and falls would be mixed up with those of another one."""

    code = "monitor_exists"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The tenant has a monitor '{name[:63]}'. Take another name, or remove that one by DELETE "
            f"/v1/monitors/{name[:63]}.",
            param="name",
        )


class TooManyMonitors(Conflict):
    """Each is looked at again and again."""

    code = "too_many_monitors"

    def __init__(self, most: int) -> None:
        super().__init__(f"The tenant has {most} monitors, the most there may be. Remove one that is not needed.")


class NotMonitored(InvalidRequest):
    """The monitor has no such measure."""

    code = "not_monitored"

    def __init__(self, name: str, metrics: list[str]) -> None:
        super().__init__(f"The monitor '{name[:63]}' watches {', '.join(metrics)}. Name one of them.", param="metric")


class JudgeKeyNarrowed(Forbidden):
    """The monitor reads what all keys of the tenant were answered; its key may not see all of that any more."""

    code = "judge_key_narrowed"

    def __init__(self) -> None:
        super().__init__(
            "The key of this monitor was limited to some models or collections since it was made. Make the monitor "
            "anew, for the answers of that key alone, or with another key."
        )
