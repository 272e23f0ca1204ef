from __future__ import annotations

from typing import Any

from agent.schemas.validation import problems
from agent.tools.plan import Plan

CALLER: Any = None


async def test_a_plan_is_written_down_step_by_step() -> None:
    steps = [{"step": "search", "status": "done"}, {"step": "answer", "status": "open"}]
    assert await Plan().call({"steps": steps}, CALLER) == "1. [done] search\n2. [open] answer"
    assert problems(Plan.parameters, {"steps": steps}) == []
    for wrong in ([], [{"step": "x", "status": "maybe"}], [{"step": "x"}]):
        assert problems(Plan.parameters, {"steps": wrong})
