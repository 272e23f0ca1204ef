"""The graph of a run: recall → think → (approve → act → think …) → ground → finish. Nodes are functions elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agent.runs.checkpoints import SqlCheckpoints
from agent.steps.approval import approve
from agent.steps.grounded_answer import ground
from agent.steps.memory import recall
from agent.steps.model_step import think
from agent.steps.output import finish
from agent.steps.state import RunContext, RunState
from agent.steps.tool_step import act
from agent.threads.messages import open_calls

RunGraph = CompiledStateGraph[RunState, RunContext, RunState, RunState]
Node = Callable[[RunState, RunContext], Awaitable[dict[str, Any]]]


NODES: dict[str, Node] = {
    "recall": recall,
    "think": think,
    "approve": approve,
    "act": act,
    "ground": ground,
    "finish": finish,
}


def build_run_graph(checkpoints: SqlCheckpoints) -> RunGraph:
    """The compiled graph."""
    graph = StateGraph(RunState, context_schema=RunContext)
    for name, work in NODES.items():
        graph.add_node(name, _node(work))
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "think")
    graph.add_conditional_edges("think", _after_think, ["think", "approve", "act", "ground", "finish", END])
    graph.add_conditional_edges("ground", _after_ground, ["finish", END])
    graph.add_edge("approve", "act")
    graph.add_conditional_edges("act", _after_act, ["approve", "think", END])
    graph.add_conditional_edges("finish", _after_finish, ["think", END])
    return graph.compile(checkpointer=checkpoints)


def _after_think(state: RunState) -> str:
    if open_calls(state["messages"]):
        return "approve" if state.get("deciding") else "act"
    if state.get("grounding"):
        return "ground"
    if state["messages"][-1]["role"] == "user":  # told to call a tool
        return "think"
    return END if state.get("limit") else "finish"


def _after_ground(state: RunState) -> str:
    return END if state.get("limit") else "finish"


def _after_act(state: RunState) -> str:
    if state.get("asking"):
        return "approve"
    return END if state.get("limit") else "think"


def _after_finish(state: RunState) -> str:
    return END if state.get("limit") or state.get("output") is not None else "think"


class _GraphNode(Protocol):
    """A node as LangGraph calls it."""

    def __call__(self, state: RunState, *, runtime: Runtime[RunContext]) -> Awaitable[dict[str, Any]]: ...


def _node(work: Node) -> _GraphNode:
    async def run(state: RunState, *, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return await work(state, runtime.context)

    return run
