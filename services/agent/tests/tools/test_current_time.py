from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.tools.current_time import CurrentTime
from agent.tools.tool import ToolFailed


class _Noon:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)


CALLER: Any = None


async def test_the_time_is_that_of_the_zone_with_its_weekday() -> None:
    tool = CurrentTime(_Noon())
    assert await tool.call({}, CALLER) == "2026-03-01T12:00:00+00:00 (Sunday)"
    assert await tool.call({"timezone": "Asia/Tokyo"}, CALLER) == "2026-03-01T21:00:00+09:00 (Sunday)"


@pytest.mark.parametrize("zone", ["Nowhere/Else", "../../etc/passwd", "\0"])
async def test_a_zone_that_is_none_is_said_to_be_none(zone: str) -> None:
    with pytest.raises(ToolFailed, match="no time zone"):
        await CurrentTime(_Noon()).call({"timezone": zone}, CALLER)
