"""Agents, threads and runs, and the Model Context Protocol."""

from __future__ import annotations

from types import NoneType

from contracts.access.delegation import Scope
from contracts.agents.agents import Agent, AgentCreate
from contracts.agents.mcp import McpMessage, McpReply
from contracts.agents.runs import (
    HistoryMessage,
    MessagesCreate,
    Resume,
    Run,
    RunCreate,
    RunEvent,
    RunReplay,
    RunStatus,
    Thread,
    ThreadChange,
    ThreadCreate,
)
from contracts.core.base import NAME
from contracts.core.pages import Page
from contracts.operations.operation import CURSOR, LIMIT, MINE, Operation, Query, string_of
from contracts.operations.reach import AGENT, KEPT, MCP, NO_MODEL, READS_RUN, RUN

USERS: tuple[Scope, ...] = ("agents",)
MAKERS: tuple[Scope, ...] = ("agents:write",)
READERS: tuple[Scope, ...] = ("agents", "agents:write")
TALKERS: tuple[Scope, ...] = ("agents", "chat")
"""A key that may only chat has its own conversations."""
_OF_AGENTS, _OF_THREADS, _OF_RUNS = ("agents",), ("threads",), ("runs",)
_AGENT = "/v1/agents/{name}"
_THREAD = "/v1/threads/{id}"
_RUNS = "/v1/threads/{id}/runs"
_RUN = "/v1/threads/{id}/runs/{run}"
_OF_AGENT = Query("agent", {"type": "string", "pattern": f"^{NAME.pattern}$"}, "Runs of this agent alone.")
_OF_RUN = Query("run_id", {"type": "string", "maxLength": 200}, "What was said in this run alone.")
_STATUS = Query("status", string_of(RunStatus), "Runs of this status alone.")

# fmt: off
CREATE_AGENT = Operation(
    "POST", "/v1/agents", Agent, MAKERS, _OF_AGENTS, AGENT, "Create an agent, or a new version of one", 201, (200,),
    # whether the key may use its model is looked up
    request=AgentCreate, carries="json", owner="agent", route="agents", idempotent=True, also_for=("models",),
    finishes=True,
)
LIST_AGENTS = Operation(
    "GET", "/v1/agents", Page[Agent], READERS, _OF_AGENTS, NO_MODEL, "List agents", queries=(LIMIT, CURSOR),
    owner="agent",
)
GET_AGENT = Operation("GET", _AGENT, Agent, READERS, _OF_AGENTS, NO_MODEL, "Show an agent", owner="agent")
LIST_AGENT_VERSIONS = Operation(
    "GET", f"{_AGENT}/versions", Page[Agent], READERS, _OF_AGENTS, NO_MODEL, "All versions of an agent, newest first",
    queries=(LIMIT, CURSOR), owner="agent",
)
ACTIVATE_AGENT = Operation(
    "POST", f"{_AGENT}/versions/{{version}}/activate", Agent, MAKERS, _OF_AGENTS, NO_MODEL,
    "Make a version of an agent the current one", owner="agent", route="agents", finishes=True,
)
DELETE_AGENT = Operation(
    "DELETE", _AGENT, NoneType, MAKERS, _OF_AGENTS, NO_MODEL,
    "Delete an agent; its versions stay for the runs that used them", 204, owner="agent", route="agents",
)
CREATE_THREAD = Operation(
    "POST", "/v1/threads", Thread, TALKERS, _OF_THREADS, KEPT, "Create a thread", 201, request=ThreadCreate,
    carries="json", owner="agent", route="agents", idempotent=True,
)
LIST_THREADS = Operation(
    "GET", "/v1/threads", Page[Thread], TALKERS, _OF_THREADS, NO_MODEL, "List threads, newest first",
    queries=(LIMIT, CURSOR, MINE), owner="agent",
)
GET_THREAD = Operation("GET", _THREAD, Thread, TALKERS, _OF_THREADS, NO_MODEL, "Show a thread", owner="agent")
UPDATE_THREAD = Operation(
    "PATCH", _THREAD, Thread, TALKERS, _OF_THREADS, KEPT, "Change what a thread's metadata says",
    request=ThreadChange, carries="json", owner="agent", route="agents",
)
ADD_MESSAGES = Operation(
    "POST", f"{_THREAD}/messages", Thread, TALKERS, _OF_THREADS, KEPT,
    "Keep what was said outside runs, such as a question to a `rag:` model and its answer", 201,
    request=MessagesCreate, carries="json", owner="agent", route="agents", idempotent=True, cites=True,
)
LIST_HISTORY = Operation(
    "GET", f"{_THREAD}/history", Page[HistoryMessage], TALKERS, _OF_THREADS, READS_RUN, "What was said, oldest first",
    queries=(LIMIT, CURSOR, _OF_RUN), owner="agent", cites=True,
)
DELETE_THREAD = Operation(
    "DELETE", _THREAD, NoneType, TALKERS, _OF_THREADS, NO_MODEL, "Delete a thread with its runs and all that was said",
    204, owner="agent", route="agents",
)
CREATE_RUN = Operation(
    "POST", _RUNS, Run, USERS, _OF_RUNS, RUN, "Start a run of an agent; with `stream`, follow its events", 202, (200,),
    request=RunCreate, carries="json", streams="if_asked", owner="agent", route="agents", grant=True, idempotent=True,
    cites=True,
)
LIST_RUNS = Operation(
    "GET", _RUNS, Page[Run], USERS, _OF_RUNS, READS_RUN, "List a thread's runs, newest first", queries=(LIMIT, CURSOR),
    owner="agent", cites=True,
)
LIST_ALL_RUNS = Operation(
    "GET", "/v1/runs", Page[Run], USERS, _OF_RUNS, READS_RUN, "List the runs of all threads, newest first",
    queries=(LIMIT, CURSOR, _OF_AGENT, _STATUS), owner="agent", cites=True,
)
GET_RUN = Operation("GET", _RUN, Run, USERS, _OF_RUNS, READS_RUN, "Show a run", owner="agent", cites=True)
FOLLOW_RUN = Operation(
    "GET", f"{_RUN}/events", RunEvent, USERS, _OF_RUNS, READS_RUN,
    "The run's events after `Last-Event-ID`, to its last", streams="always", owner="agent", cites=True,
)
CANCEL_RUN = Operation(
    "POST", f"{_RUN}/cancel", Run, USERS, _OF_RUNS, READS_RUN, "Cancel a run", 202, owner="agent", route="agents",
    cites=True,
)
RESUME_RUN = Operation(
    "POST", f"{_RUN}/resume", Run, USERS, _OF_RUNS, RUN, "Decide on a run's pending tool calls", 202, request=Resume,
    carries="json", owner="agent", route="agents", cites=True,
)
REPLAY_RUN = Operation(
    "POST", f"{_RUN}/replay", Run, USERS, _OF_RUNS, RUN,
    "Start a run on a new thread from a point of one that has ended; with `stream`, follow its events", 202, (200,),
    request=RunReplay, carries="json", streams="if_asked", owner="agent", route="agents", grant=True, idempotent=True,
    cites=True,
)
SPEAK_MCP = Operation(
    "POST", "/mcp", McpReply, ("search", "chat", "documents"), ("mcp",), MCP,
    "Model Context Protocol: search, ask, list_collections", empty_statuses=(202,), request=McpMessage, carries="json",
    # an answer like those of `rag:` models
    owner="agent", route="mcp", own_origin=True, own_errors=(400,), also_for=("retriever", "inference", "models"),
    cites=True,
)
# fmt: on
