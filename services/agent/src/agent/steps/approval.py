"""The node `approve`: one interrupt for all calls that a person decides on, before anything is done about them.

LangGraph runs an interrupted node again from its start, so that nothing else happens in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.types import interrupt
from sqlalchemy import RowMapping

from agent.steps.model_step import readable
from agent.steps.state import RunContext, RunState
from agent.steps.tool_step import decided_arguments, known_calls
from agent.threads.messages import open_calls
from contracts.agents.runs import PendingToolCall


async def approve(state: RunState, context: RunContext) -> dict[str, Any]:
    """Wait for decisions where some are needed."""
    begun = await _begun(state, context) if state.get("asking") else {}
    pending = waiting_for(state, context, begun)
    if not pending:
        return {}
    decided: dict[str, dict[str, Any]] = interrupt([call.model_dump(mode="json") for call in pending])
    context.run.counters["decisions"] = None  # taken over with the checkpoint that this node ends in
    taken = dict(state.get("decisions", {}))
    for call in pending:
        decision = decided[call.id]
        if call.reason == "outcome_unknown":
            taken[f"unknown:{call.id}:{begun[call.id]['tries']}"] = decision
        else:
            taken[call.id] = decision
    return {"decisions": taken, "asking": []}


def waiting_for(state: RunState, context: RunContext, begun: Mapping[str, RowMapping]) -> list[PendingToolCall]:
    """The calls that a person has to decide on; of those that were `begun`, with the arguments of the last try."""
    decisions, undecided = state.get("decisions", {}), state.get("asking", [])
    listed, tools = context.run.definition.approval.tools, readable(state, context)
    pending = []
    for call in open_calls(state["messages"]):
        tool = tools.get(call["name"])
        about = {"id": call["id"], "name": call["name"], "arguments": call["arguments"]}
        about["parameters"] = None if tool is None else tool.parameters
        if call["id"] in undecided:
            about["arguments"] = decided_arguments(call, begun.get(call["id"]))
            pending.append(PendingToolCall(**about, reason="outcome_unknown"))
        elif call["name"] in listed and call["id"] not in decisions and "problem" not in call:
            pending.append(PendingToolCall(**about))
    return pending


async def _begun(state: RunState, context: RunContext) -> dict[str, RowMapping]:
    """The calls of this step that were begun, by their ids."""
    return {row["call_id"]: row for row in (await known_calls(context, state["step"])).values()}
