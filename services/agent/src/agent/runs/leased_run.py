"""A run while a worker holds it: its counters, its agent, and the text that its model emits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from agent.agents import definitions
from agent.agents.instructions import with_instructions
from agent.runs.origin import count_taken_over
from agent.threads.messages import Message
from contracts.access.delegation import Spent
from contracts.agents.agents import AgentDefinition
from contracts.agents.runs import PendingToolCall
from servicekit.core.errors import ServiceError
from servicekit.jobs.events import Event
from servicekit.jobs.leased_job import JobStore, LeasedJob
from servicekit.jobs.leases import Lease

COUNTERS = ("steps", "tool_calls", "prompt_tokens", "completion_tokens", "model_calls", "cost_nano_usd")


class LeasedRun(LeasedJob):
    """A claimed run. Every transaction of its writes its counters along."""

    def __init__(
        self,
        store: JobStore,
        lease: Lease,
        row: Mapping[str, Any],
        stored_definition: Any,
        max_seconds: float,
        stored_prompt: Any = None,
    ) -> None:
        """`stored_definition` is the agent's as the database has it, `stored_prompt` that of the prompt which its
        instructions are; a run is at work `max_seconds` at most."""
        super().__init__(store, lease, row)
        self._stored_definition, self._stored_prompt = stored_definition, stored_prompt
        self._max_seconds = max_seconds
        self._active_before = float(row["active_seconds"])
        if row["paused_at"] is not None:  # what it waited for was away: that took of its time
            self._active_before += max(0.0, (store.clock.now() - row["paused_at"]).total_seconds())
        self._pause: dict[str, datetime | None] = {"paused_at": None, "deadline_at": None}
        self._began = time.monotonic()
        self.counters: dict[str, Any] = {name: row[name] for name in COUNTERS}
        self.answered_step: int | None = None
        """The step that the model has just answered under this lease: nothing of it can have been done yet."""
        self.is_recorded: bool | None = None
        """Whether its end is put on record; None where the gateway has not told."""
        self.step_text = ""
        """What the model has said in its latest step under this lease, as callers see it."""

    @cached_property
    def definition(self) -> AgentDefinition:
        """The version of its agent that the run began with, its instructions as text; raises `AgentNotFound`,
        `AgentUnreadable` or `InstructionsMissing`.

        Read when it is needed, so that one that can't be read is the trouble of this run and of no other.
        """
        stored, row = self._stored_definition, self.row
        definition = definitions.parse_definition(stored, row["agent"], row["agent_version"])
        definition = with_instructions(row["agent"], definition, self._stored_prompt)
        seconds = min(definition.limits.seconds, self._max_seconds)
        return definition.model_copy(update={"limits": definition.limits.model_copy(update={"seconds": seconds})})

    def own(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Of a run's messages those that were said in it, without what it took over of another one."""
        return messages[count_taken_over(self.row) :]

    @property
    def active_seconds(self) -> float:
        """Time at work, over all claims, and between them what it waited to be tried again."""
        return self._active_before + time.monotonic() - self._began

    @property
    def seconds_left(self) -> float | None:
        """Until its time is over; None where its agent can't be read."""
        try:
            return self.definition.limits.seconds - self.active_seconds
        except ServiceError:
            return None

    def pause(self) -> None:
        """It is about to be let go, to be tried again later. Its time goes on."""
        now, left = self.clock.now(), self.seconds_left
        deadline = None if left is None else now + timedelta(seconds=max(0.0, left))
        self._pause = {"paused_at": now, "deadline_at": deadline}

    def carried(self) -> Mapping[str, Any]:
        """The counters as they are now."""
        return {**self.counters, "active_seconds": self.active_seconds, **self._pause}

    def emit(self, kind: str, data: dict[str, Any] | None = None, step: int | None = None) -> None:
        """An event that goes out with the next transaction. Text that follows text of the same step is joined."""
        content = data or {}
        if kind == "step.started":
            self.step_text = ""
        elif kind == "token":
            self.step_text += content["text"]
            last = self.last_emitted()
            if last is not None and last.type == "token" and last.step == step:
                last.data["text"] += content["text"]
                return
        super().emit(kind, content, step)

    def charge(self, spent: Spent) -> None:
        """Take what the ledger has of the run: it also knows calls that were cut off, that failed, or whose process was
        killed. Less than what was counted step by step it can't be; then it is not the whole."""
        self.is_recorded = spent.records
        counters = self.counters
        counted = counters["prompt_tokens"] + counters["completion_tokens"]
        if spent.prompt_tokens + spent.completion_tokens >= counted:
            names = ("prompt_tokens", "completion_tokens", "model_calls", "cost_nano_usd")
            counters.update({name: getattr(spent, name) for name in names})

    async def wait_for_person(self, pending: list[PendingToolCall]) -> None:
        """Let go of the run until somebody has decided on these calls; raises `Cancelled` if a cancel was accepted."""
        calls = [call.model_dump(mode="json") for call in pending]
        values = {"status": "waiting_approval", "pending": calls, "decisions": None, "waiting_on": "approval"}
        events = Event("approval", {"tool_calls": calls}), Event("run.waiting_approval")
        async with self.releasing(values, *events, unless_cancelled=True):
            pass

    @asynccontextmanager
    async def flushed_every(self, seconds: float) -> AsyncIterator[None]:
        """Meanwhile what is emitted is written that often, whether or not anything else happens.

        A write that fails ends the block at once; its error is raised, `LeaseLost` for instance.
        """
        writing, over, limit = asyncio.Lock(), False, asyncio.timeout(None)

        async def keep_writing() -> None:
            while True:
                await asyncio.sleep(seconds)
                async with writing:
                    await self.flush()

        def end_the_block(failed: asyncio.Task[None]) -> None:
            if not failed.cancelled() and failed.exception() is not None and not over:
                limit.reschedule(0)  # a moment that has passed

        task = asyncio.create_task(keep_writing())
        task.add_done_callback(end_the_block)
        try:
            async with limit:
                try:
                    yield
                finally:
                    try:
                        async with writing:  # a transaction under way is not broken off, unless one can't wait for it
                            over = True
                    finally:
                        task.cancel()
        except TimeoutError:
            if not limit.expired():
                raise
        if task.done():
            task.result()
