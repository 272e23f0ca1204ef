"""The time, which no model knows."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.tools.built_in import BuiltInTool
from agent.tools.tool import Repeat, ToolCaller, ToolFailed
from servicekit.core.clock import Clock


class CurrentTime:
    """`Tool`: date and time in a zone."""

    name = "current_time"
    kind = "current_time"
    repeat: Repeat = "safe"
    description = "The present date, weekday and time."
    parameters: dict[str, Any] = {  # noqa: RUF012  # read only
        "type": "object",
        "properties": {"timezone": {"type": "string", "description": "IANA name such as Europe/Berlin; default UTC"}},
        "additionalProperties": False,
    }

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """RFC 3339 and the weekday."""
        name = arguments.get("timezone") or "UTC"
        try:
            now = self._clock.now().astimezone(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ToolFailed(f"There is no time zone '{name[:60]}'. Use an IANA name such as Europe/Berlin.") from None
        return f"{now.isoformat(timespec='seconds')} ({now:%A})"


BUILT_IN = (
    BuiltInTool(
        "current_time",
        "Says the date, the weekday and the time in a zone.",
        lambda _options, resources: CurrentTime(resources.clock),
    ),
)
