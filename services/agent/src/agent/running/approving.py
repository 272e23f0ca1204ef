"""The node `approve`: one interrupt for all calls that a person decides on, before anything is done about them.

LangGraph runs an interrupted node again from its start, so that nothing else happens in here.
"""

from __future__ import annotations

from typing import Any

from langgraph.types import interrupt

from agent.messages import open_calls
from agent.running.acting import known_calls
from agent.running.state import RunContext, RunState
from contracts.runs import PendingToolCall


async def approve(state: RunState, context: RunContext) -> dict[str, Any]:
    """Wait for decisions where some are needed."""
    pending = waiting_for(state, context)
    if not pending:
        return {}
    decided: dict[str, dict[str, Any]] = interrupt([call.model_dump(mode="json") for call in pending])
    context.work.counters["decisions"] = None  # taken over with the checkpoint that this node ends in
    taken = dict(state.get("decisions", {}))
    tries = await _tries(state, context)
    for call in pending:
        decision = decided[call.id]
        if call.reason == "outcome_unknown":
            taken[f"unknown:{call.id}:{tries[call.id]}"] = decision
        else:
            taken[call.id] = decision
    return {"decisions": taken, "asking": []}


def waiting_for(state: RunState, context: RunContext) -> list[PendingToolCall]:
    """The calls that a person has to decide on."""
    decisions, asking = state.get("decisions", {}), state.get("asking", [])
    listed = context.work.definition.approval.tools
    pending = []
    for call in open_calls(state["messages"]):
        about = {"id": call["id"], "name": call["name"], "arguments": call["arguments"]}
        if call["id"] in asking:
            pending.append(PendingToolCall(**about, reason="outcome_unknown"))
        elif call["name"] in listed and call["id"] not in decisions and "problem" not in call:
            pending.append(PendingToolCall(**about))
    return pending


async def _tries(state: RunState, context: RunContext) -> dict[str, int]:
    """How often each call of this step was begun."""
    rows = await known_calls(context, state["step"])
    return {row["call_id"]: row["tries"] for row in rows.values()}
