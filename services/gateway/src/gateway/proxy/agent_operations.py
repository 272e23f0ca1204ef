"""The calls that the agent service answers, and all proxied calls together."""

from __future__ import annotations

from contracts.agents import Agent, AgentCreate
from contracts.delegation import Scope
from contracts.mcp import McpMessage, McpReply
from contracts.pages import Page
from contracts.runs import HistoryMessage, Resume, Run, RunCreate, Thread, ThreadCreate
from gateway.auth.tokens import AGENT_MAKING, AGENTS, ANSWERS
from gateway.proxy.operations import CURSOR, LIMIT, PROXIED, ProxiedCall

USERS: tuple[Scope, ...] = ("agents",)
MAKERS: tuple[Scope, ...] = ("agents:write",)
READERS: tuple[Scope, ...] = ("agents", "agents:write")
_AGENTS = "/v1/agents"
_AGENT = "/v1/agents/{name}"
_THREADS = "/v1/threads"
_THREAD = "/v1/threads/{id}"
_RUNS = "/v1/threads/{id}/runs"
_RUN = "/v1/threads/{id}/runs/{run}"

AGENT_CALLS: tuple[ProxiedCall, ...] = (
    ProxiedCall(
        "POST", _AGENTS, "Create an agent, or a new version of one", MAKERS, "agents", Agent, 201, (200,),
        request=AgentCreate, carries="json", service="agent", audiences=AGENT_MAKING, route="agents",
    ),
    ProxiedCall(
        "GET", _AGENTS, "List agents", READERS, "agents", Page[Agent],
        queries=(LIMIT, CURSOR), service="agent", audiences=AGENTS,
    ),
    ProxiedCall("GET", _AGENT, "Show an agent", READERS, "agents", Agent, service="agent", audiences=AGENTS),
    ProxiedCall(
        "GET", f"{_AGENT}/versions", "All versions of an agent, newest first", READERS, "agents", Page[Agent],
        queries=(LIMIT, CURSOR), service="agent", audiences=AGENTS,
    ),
    ProxiedCall(
        "DELETE", _AGENT, "Delete an agent; its versions stay for the runs that used them", MAKERS, "agents",
        status=204, gives="nothing", service="agent", audiences=AGENTS, route="agents",
    ),
    ProxiedCall(
        "POST", _THREADS, "Create a thread", USERS, "threads", Thread, 201,
        request=ThreadCreate, carries="json", service="agent", audiences=AGENTS, route="agents",
    ),
    ProxiedCall(
        "GET", _THREADS, "List threads, newest first", USERS, "threads", Page[Thread],
        queries=(LIMIT, CURSOR), service="agent", audiences=AGENTS,
    ),
    ProxiedCall("GET", _THREAD, "Show a thread", USERS, "threads", Thread, service="agent", audiences=AGENTS),
    ProxiedCall(
        "GET", f"{_THREAD}/history", "What was said, oldest first", USERS, "threads", Page[HistoryMessage],
        queries=(LIMIT, CURSOR), service="agent", audiences=AGENTS,
    ),
    ProxiedCall(
        "DELETE", _THREAD, "Delete a thread with its runs and all that was said", USERS, "threads",
        status=204, gives="nothing", service="agent", audiences=AGENTS, route="agents",
    ),
    ProxiedCall(
        "POST", _RUNS, "Start a run of an agent; with `stream`, follow its events", USERS, "runs", Run, 202, (200,),
        request=RunCreate, carries="json", gives="json_or_events", service="agent", audiences=AGENTS, grant=True,
        route="agents",
    ),
    ProxiedCall(
        "GET", _RUNS, "List a thread's runs, newest first", USERS, "runs", Page[Run],
        queries=(LIMIT, CURSOR), service="agent", audiences=AGENTS,
    ),
    ProxiedCall("GET", _RUN, "Show a run", USERS, "runs", Run, service="agent", audiences=AGENTS),
    ProxiedCall(
        "GET", f"{_RUN}/events", "The run's events after `Last-Event-ID`, to its last", USERS, "runs",
        gives="events", service="agent", audiences=AGENTS,
    ),
    ProxiedCall(
        "POST", f"{_RUN}/cancel", "Cancel a run", USERS, "runs", Run, 202,
        service="agent", audiences=AGENTS, route="agents",
    ),
    ProxiedCall(
        "POST", f"{_RUN}/resume", "Decide on a run's pending tool calls", USERS, "runs", Run, 202,
        request=Resume, carries="json", idempotent=False, service="agent", audiences=AGENTS, route="agents",
    ),
    ProxiedCall(
        "POST", "/mcp", "Model Context Protocol: search, ask, list_collections", ("search", "chat", "documents"), "mcp",
        McpReply, 200, (202,), request=McpMessage, carries="json", idempotent=False, own_origin=True, own_errors=(400,),
        service="agent", audiences=ANSWERS, route="mcp",
    ),
)  # fmt: skip
EVERY_PROXIED: tuple[ProxiedCall, ...] = (*PROXIED, *AGENT_CALLS)
"""Every call that passes; nothing outside it does."""
