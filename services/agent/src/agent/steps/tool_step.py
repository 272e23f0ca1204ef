"""The node `act`: makes the calls that the model asked for, each written down before and after.

A call's key is (run, step, number); one that changes nothing is written down afterwards only. A run that is taken up
again finds here what was done: a finished call's result is used again; one that was cut off is made again if that is
safe or the other side knows the key, else its outcome is unknown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, insert, select, update

from agent.metrics import RUN_STEP_SECONDS, TOOL_CALLS
from agent.steps.model_step import readable
from agent.steps.state import RunContext, RunState
from agent.steps.tool_calls import Call, argument_problem, fingerprint
from agent.tables import TOOL_CALLS as LEDGER
from agent.threads.messages import UNKNOWN, Message, keepable, open_calls, tool_result
from agent.tools.tool import OutcomeUnknown, Tool, ToolCaller, ToolFailed
from contracts.agents.runs import MOST_SOURCES, RunSource
from servicekit.core.errors import ServiceError
from servicekit.sql.database import rows_of
from servicekit.telemetry.spans import Attributes, span

log = structlog.get_logger(__name__)
MAX_KEPT_CHARS = 1_000_000
AGAIN_SECONDS = (0.2, 1.0, 3.0)
"""Pauses before a call that broke off is made again with its key."""
_ADD = insert(LEDGER)
_DROP = delete(LEDGER).where(*(LEDGER.c[name] == bindparam(f"of_{name}") for name in ("run_id", "step", "number")))


@dataclass(frozen=True, slots=True)
class Result:
    """What a call came to. `unknown`: nobody knows whether it happened."""

    content: str
    failed: bool = False
    unknown: bool = False
    sources: Sequence[RunSource] = ()


async def act(state: RunState, context: RunContext) -> dict[str, Any]:
    """Make the open calls at the same time. Those of unknown outcome wait for a person where the agent says so."""
    context.run.checkpoint()
    began = time.perf_counter()
    step = state["step"]
    said = state["messages"][-1]
    numbers = {call["id"]: number for number, call in enumerate(said["calls"])}
    calls = open_calls(state["messages"])
    known = {} if context.run.answered_step == step else await known_calls(context, step)
    context.run.answered_step = None
    planned = [_Planned(call, numbers[call["id"]], state, context, known.get(numbers[call["id"]])) for call in calls]
    starting = [one for one in planned if one.settled is None and not one.changes_nothing]
    if starting:
        await context.run.write(*(one.write_down for one in starting))
    results = await _all(planned)
    RUN_STEP_SECONDS.labels("tools").observe(time.perf_counter() - began)
    if context.run.definition.approval.unknown_outcomes:
        undecided = [one.call["id"] for one, result in zip(planned, results, strict=True) if result.unknown]
        if undecided:
            return {"asking": undecided}
    messages: list[Message] = []
    for one, result in zip(planned, results, strict=True):
        call = one.call
        shown = {"id": call["id"], "name": call["name"], "failed": result.failed, "unknown": result.unknown}
        content = _cut(result.content, context.settings.tool_result_chars)
        context.run.emit("tool_result", {**shown, "content": content}, step)
        messages.append(tool_result(call["id"], call["name"], content))
    return {"messages": messages}


async def _all(planned: list[_Planned]) -> list[Result]:
    """Every result. When one call breaks the run, the others are ended with it."""
    tasks = [asyncio.ensure_future(one.result(planned)) for one in planned]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def known_calls(context: RunContext, step: int) -> Mapping[int, RowMapping]:
    """The calls of a step that were begun, by their numbers."""
    query = select(LEDGER).where(LEDGER.c.run_id == context.run.id, LEDGER.c.step == step)
    return {row["number"]: row for row in await context.database.read(rows_of(query))}


class _Planned:
    """One call, and what is to be done about it."""

    def __init__(self, call: Call, number: int, state: RunState, context: RunContext, row: RowMapping | None) -> None:
        self.call = call
        self._number = number
        self._step = state["step"]
        self._context = context
        self._row = row
        self._tool: Tool | None = readable(state, context).get(call["name"])
        decisions = state.get("decisions", {})
        self._decision = decisions.get(call["id"])
        self._about_unknown = decisions.get(f"unknown:{call['id']}:{row['tries'] if row else 0}")
        self.arguments = decided_arguments(call, self._about_unknown, row, self._decision)
        self.settled = self._settle()
        self.over = self.settled is not None
        """Whether its result is known, if only to this process."""

    def _settle(self) -> Result | None:
        """What is known without making the call."""
        if "problem" in self.call:
            return Result(self.call["problem"], failed=True)
        if self._decision is not None and self._decision["action"] == "reject":
            return Result(_rejection(self._decision), failed=True)
        if self._tool is None:
            return Result(f"The tool '{self.call['name']}' can't be had any more.", failed=True)
        if self._row is not None and self._row["state"] == "done":
            return Result(self._row["result"] or "", self._row["failed"])
        if self._row is not None and self._tool.repeat == "never" and (unknown := self._unknown()) is not None:
            return unknown
        if self.arguments is not self.call["arguments"]:
            problem = argument_problem(self._tool, self.arguments)
            return None if problem is None else Result(problem, failed=True)
        return None

    def _unknown(self) -> Result | None:
        decision = self._about_unknown
        if decision is None:
            return Result(UNKNOWN, failed=True, unknown=True)
        if decision["action"] == "reject":
            return Result(f"{UNKNOWN} A person decided: {decision['message'] or 'do not make it again'}", failed=True)
        return None

    @property
    def changes_nothing(self) -> bool:
        """Whether the call may be made as often as anybody likes: it is written down only once it is made."""
        return self._tool is not None and self._tool.repeat == "safe" and self._row is None

    def write_down(self, connection: Connection) -> None:
        """Before the call is made."""
        now = self._context.run.clock.now()
        if self._row is not None:
            again = {"tries": self._row["tries"] + 1, "arguments": self.arguments, "started_at": now}
            connection.execute(update(LEDGER).where(self._this()).values(**again))
            return
        connection.execute(_ADD, self._begun(now))

    def _begun(self, now: datetime) -> dict[str, Any]:
        return {
            "run_id": self._context.run.id,
            "step": self._step,
            "number": self._number,
            "call_id": self.call["id"],
            "name": self.call["name"],
            "arguments": self.arguments,
            "fingerprint": fingerprint(self.call["name"], self.arguments),
            "state": "started",
            "started_at": now,
        }

    async def result(self, step: Sequence[_Planned]) -> Result:
        """The result, made now unless it is known; written down before anybody sees it.

        What changes nothing and ends its step is written down with the checkpoint that follows at once: until then
        nobody has seen it, and whoever takes the run over makes the call again.
        """
        if self.settled is not None:
            return self.settled
        assert self._tool is not None
        began = self._context.run.clock.now()
        made = await _make(self._tool, self.arguments, self._caller(), self._context.settings.tool_seconds)
        self.over = True
        made = replace(made, content=keepable(made.content))
        if made.unknown:
            return made  # it stays written down as begun: that is all that is known
        sources = [source.model_dump() for source in made.sources[:MOST_SOURCES]] or None
        values = {"state": "done", "result": made.content[:MAX_KEPT_CHARS], "sources": sources, "failed": made.failed}
        finished = {**values, "finished_at": self._context.run.clock.now()}
        if not self.changes_nothing:
            await self._context.run.write(partial(self._finish, finished), progress=True)
        elif all(one.over for one in step):
            self._context.run.enclose(partial(self._keep, {**self._begun(began), **finished}))
        else:
            await self._context.run.write(partial(self._keep, {**self._begun(began), **finished}), progress=True)
        return made

    def _finish(self, values: Mapping[str, Any], connection: Connection) -> None:
        connection.execute(update(LEDGER).where(self._this()).values(**values))

    def _keep(self, row: Mapping[str, Any], connection: Connection) -> None:
        """A whole row; does no harm when it is done twice."""
        place = {f"of_{name}": row[name] for name in ("run_id", "step", "number")}
        connection.execute(_DROP, place)
        connection.execute(_ADD, row)

    def _this(self) -> Any:
        here = LEDGER.c.run_id == self._context.run.id
        return and_(here, LEDGER.c.step == self._step, LEDGER.c.number == self._number)

    def _caller(self) -> ToolCaller:
        row = self._context.run.row
        key = f"{row['id']}:{self._step}:{self._number}"
        return ToolCaller(key, row["id"], row["thread_id"], self._context.token, self._context.scopes)


def decided_arguments(call: Call, *given_by: Mapping[str, Any] | RowMapping | None) -> dict[str, Any]:
    """The first arguments that a decision or an earlier try has, be they empty; else the model's."""
    given = [one.get("arguments") for one in given_by if one is not None]
    return next((arguments for arguments in (*given, call["arguments"]) if arguments is not None), {})


async def _make(tool: Tool, arguments: dict[str, Any], caller: ToolCaller, seconds: float) -> Result:
    """Make a call. What goes wrong with it is a result, which the model reads."""
    outcome = "ok"
    try:
        with span(f"execute_tool {tool.name}", "internal", _about(tool, caller)):
            async with asyncio.timeout(seconds):
                return Result(await _persistently(tool, arguments, caller), sources=caller.sources)
    except TimeoutError:
        outcome = "timeout"
        ended = f"The call took longer than {seconds:g} seconds and was ended."
        if tool.repeat == "safe":
            return Result(ended, failed=True)
        return Result(f"{ended} It may or may not have happened.", failed=True, unknown=True)
    except OutcomeUnknown as failure:
        outcome = "unknown"
        return Result(str(failure), failed=True, unknown=tool.repeat != "safe")
    except ToolFailed as failure:
        outcome = "failed"
        return Result(str(failure), failed=True)
    except ServiceError as error:
        outcome = "failed"
        if error.code == "key_revoked":
            raise
        return Result(error.message, failed=True)
    finally:
        TOOL_CALLS.labels(tool.kind, outcome).inc()


def _about(tool: Tool, caller: ToolCaller) -> Attributes:
    """Of a call; its arguments and its result may be anybody's words."""
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool.name,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": caller.key,
        "groundwork.tool_kind": tool.kind,
    }


async def _persistently(tool: Tool, arguments: dict[str, Any], caller: ToolCaller) -> str:
    """Make a call; one that broke off is made again where that does no harm."""
    pauses = () if tool.repeat == "never" else AGAIN_SECONDS
    for pause in pauses:
        try:
            return await tool.call(arguments, caller)
        except OutcomeUnknown:
            await asyncio.sleep(pause)
    return await tool.call(arguments, caller)


def _rejection(decision: Mapping[str, Any]) -> str:
    why = f" They say: {decision['message']}" if decision.get("message") else ""
    return f"A person rejected this call; it was not made.{why}"


def _cut(text: str, chars: int) -> str:
    if len(text) <= chars:
        return text
    return f"{text[:chars]}\n[cut here: {len(text) - chars:,} of {len(text):,} characters are not shown]"
