"""A run as one completion in OpenAI's shape: a thread of its own, a run, and its events as chunks."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import structlog

from agent.agents import definitions
from agent.agents.instructions import pin_instructions
from agent.dependencies import AgentRuntime
from agent.errors import (
    AnswerRestarted,
    CompletionCutOff,
    CompletionTooSlow,
    ModelNotAnswerable,
    QuestionMissing,
    QuestionTooLong,
    RunBlocked,
    RunCancelled,
    RunFailed,
    RunNotFound,
)
from agent.questions.conversation import refuse_output_forms, refuse_plain_options
from agent.runs import events as run_events
from agent.runs import repository as runs
from agent.runs.sources import list_sources
from agent.sanitisation.invisible import spell_out
from agent.threads import repository as threads
from agent.threads.messages import Message, keepable, user
from agent.threads.repository import Viewer
from contracts.agents.agents import AgentDefinition
from contracts.agents.runs import FINAL_RUN_STATUSES, MAX_INPUT_CHARS, PendingToolCall, Run, RunEvent, RunReport
from contracts.core.base import NAME
from contracts.models.catalog import AGENT
from contracts.models.chat import AssistantMessage, ChatCompletionChunk, ChatRequest, ChatUsage, ChunkChoice
from contracts.models.citations import Annotation
from servicekit.jobs.tables import JobOwner

VERSION = re.compile(r"[1-9][0-9]{0,8}")
log = structlog.get_logger(__name__)


async def start(
    agents: AgentRuntime, viewer: Viewer, principal: JobOwner, request: ChatRequest
) -> tuple[Run, AgentDefinition]:
    """A run of the agent that the request names, on a thread with what was said before; raises what is wrong."""
    name, at, number = request.model.removeprefix(AGENT).partition("@")
    if not NAME.fullmatch(name) or (at and not VERSION.fullmatch(number)):
        raise ModelNotAnswerable(request.model)
    refuse_plain_options(request)
    refuse_output_forms(request)
    question = keepable(request.question())
    if not question.strip():
        raise QuestionMissing
    if len(question) > MAX_INPUT_CHARS:
        raise QuestionTooLong(MAX_INPUT_CHARS)
    now = agents.clock.now()
    async with agents.database.write() as connection:
        version = await definitions.get_runnable_version(connection, viewer, name, int(number) if at else None)
        agent = await definitions.get_version(connection, viewer.tenant, name, version)
        thread = await threads.create_thread(connection, viewer, {}, now, transient=True)
        await threads.append_messages(connection, thread.id, "", _earlier(request), now)
        prompt = await pin_instructions(connection, viewer.tenant, name, agent)
        row = await runs.create_run(connection, principal, thread.id, (name, version), question, now, prompt=prompt)
    agents.notifier.notify(row["id"], due=True)
    return runs.to_run(dict(row)), agent


def _earlier(request: ChatRequest) -> list[Message]:
    """What was said besides the question, in words: tool calls of other programs are none of this agent's.

    What other tools and models said after the question comes before it: a run begins with what it is asked.
    """
    said: list[Message] = []
    asked = max(at for at, message in enumerate(request.messages) if message.role == "user")
    for message in (*request.messages[:asked], *request.messages[asked + 1 :]):
        text = message.plain_text()
        if not text:
            continue
        if message.role == "assistant":
            said.append({"role": "assistant", "content": text})
        else:
            said.append(user(text))
    return said


async def chunks(
    agents: AgentRuntime,
    run: Run,
    agent: AgentDefinition,
    model: str,
    degraded: Sequence[str] = (),
    *,
    reports: bool = False,
) -> AsyncGenerator[ChatCompletionChunk]:
    """The chunks of a run's completion. Closing it early cancels the run. `degraded`: unused of the request.

    With `reports` each report has the sources so far, and one comes before what is said of new ones.
    """
    created = int(time.time())

    def chunk(delta: AssistantMessage | None, finish: str | None = None, **more: Any) -> ChatCompletionChunk:
        choices = [] if delta is None else [ChunkChoice(delta=delta, finish_reason=finish)]
        return ChatCompletionChunk(id=run.id, created=created, model=model, choices=choices, **more)

    words, news = _Words(at_once=agent.output_schema is None), False
    try:
        yield chunk(AssistantMessage(content=""))
        async for event in _events(agents, run):
            news = news or (reports and event.type == "tool_result")
            if text := words.of(event):
                if news:
                    yield chunk(None, groundwork=(await _shown(agents, run, degraded, reports=True))[1])
                news = False
                yield chunk(AssistantMessage(role=None, content=text))
        ended, report = await _shown(agents, run, degraded, reports=reports)
        if rest := words.rest(ended):
            yield chunk(AssistantMessage(role=None, content=rest))
        if cited := words.citations(ended):
            yield chunk(AssistantMessage(role=None, content="", annotations=cited))
    finally:
        await asyncio.shield(_cancel_unless_ended(agents, run))
    finish = "length" if ended.status == "limit_reached" else "stop"
    yield chunk(AssistantMessage(role=None), finish, groundwork=report)
    kinds = ("prompt_tokens", "completion_tokens", "total_tokens")
    yield chunk(None, usage=ChatUsage(**{kind: getattr(ended.usage, kind) for kind in kinds}))


async def _events(agents: AgentRuntime, run: Run) -> AsyncGenerator[RunEvent]:
    """What happens until the run ends or waits for a person; raises `CompletionTooSlow`."""
    quiet = agents.settings.keepalive_seconds
    deadline = asyncio.get_running_loop().time() + agents.settings.completion_seconds
    following = run_events.follow(agents.database, agents.notifier, run.id, 0, quiet, lambda: agents.worker.is_stopping)
    async with aclosing(following):
        while True:
            try:
                async with asyncio.timeout_at(deadline):  # never over a yield, where other tasks go on
                    event = await anext(following)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise CompletionTooSlow(run.id) from None
            if event is None:
                continue
            if event.type == "run.waiting_approval":
                return
            yield event


class _Words:
    """What is sent of a run's words, step by step; a step that begins anew must say the same again."""

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once
        self._step = 0
        self._sent = ""
        self._again = ""
        self._any = False
        self._length = 0

    def of(self, event: RunEvent) -> str:
        """The text to send for an event."""
        if not self._at_once or event.step is None:
            return ""
        if event.type == "step.started":
            if event.step != self._step:
                self._any = self._any or bool(self._sent)
                self._step, self._sent = event.step, ""
            self._again = ""
        if event.type != "token":
            return ""
        self._again += event.data["text"]
        if not self._again.startswith(self._sent):
            if self._sent.startswith(self._again):
                return ""
            raise AnswerRestarted
        new = self._again[len(self._sent) :]
        between = "\n\n" if self._any and not self._sent and new else ""
        self._sent = self._again
        self._length += len(between + new)
        return between + new

    def citations(self, ended: Run) -> list[Annotation]:
        """The citations of the answer, where they stand in all that was sent."""
        if ended.answer is None or ended.output is None:
            return []
        offset = self._length - len(ended.output)
        return [_moved(Annotation.model_validate(one), offset) for one in ended.answer.annotations]

    def rest(self, ended: Run) -> str:
        """What is left to say once the run has ended or waits; raises how it failed."""
        if ended.status == "failed" and ended.error is not None:
            raise RunBlocked(ended.error) if ended.error.code == RunBlocked.code else RunFailed(ended.error)
        if ended.status == "cancelled":
            raise RunCancelled
        if ended.status in ("queued", "running"):
            raise CompletionCutOff
        if ended.status == "waiting_approval":
            calls = ", ".join(map(_as_code, ended.pending_tool_calls))
            said = "\n\n" if self._any or self._sent else ""
            where = f"run {ended.id} on thread {ended.thread_id}"
            return f"{said}This waits for a person's decision on: {calls} ({where})."
        return "" if self._at_once else ended.output or ""


def _moved(one: Annotation, by: int) -> Annotation:
    span = one.url_citation
    moved = span.model_copy(update={"start_index": span.start_index + by, "end_index": span.end_index + by})
    return one.model_copy(update={"index": one.index + by, "url_citation": moved})


def _as_code(call: PendingToolCall) -> str:
    """A call as code on one line, which no renderer makes anything of, with what is hidden in it written out."""
    written = spell_out(f"{call.name}({json.dumps(call.arguments, ensure_ascii=False)})")
    return "`" + written.replace("`", "'") + "`"


async def _shown(agents: AgentRuntime, run: Run, degraded: Sequence[str], *, reports: bool) -> tuple[Run, RunReport]:
    """The run as it is now, and the report of it."""
    async with agents.database.read() as connection:
        row = dict(await runs.get_run(connection, run.thread_id, run.id))
        found = await list_sources(connection, row) if reports else None
    shown = runs.to_run(row)
    sources = None if found is None else [source.model_dump() for source in found]
    more = {"run_id": run.id, "degraded": list(degraded), "sources": sources}
    return shown, RunReport.model_validate({**shown.model_dump(), **more})


async def _cancel_unless_ended(agents: AgentRuntime, run: Run) -> None:
    """The caller went away, or waits no more. A run that waits for a person goes on waiting."""
    async with agents.database.write() as connection:
        try:
            row = await runs.get_run(connection, run.thread_id, run.id)
        except RunNotFound:  # its thread was deleted meanwhile
            return
        if row["status"] in FINAL_RUN_STATUSES or row["status"] == "waiting_approval":
            return
        await runs.cancel_run(connection, agents.checkpoints, dict(row), agents.clock.now())
    agents.notifier.notify(run.id)
    log.info("completion left, run cancelled", run_id=run.id)
