"""Runs as a kind of durable job: carried out within its time, from its last checkpoint to its end or next wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeVar, cast

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from agent import metrics
from agent.agents import definitions
from agent.agents.instructions import get_stored_prompt
from agent.answering.graph import Answering
from agent.ports import Models, TokenSource
from agent.runs.checkpoints import SqlCheckpoints
from agent.runs.conclusion import Conclusion, conclude
from agent.runs.leased_run import LeasedRun
from agent.runs.recorder import RunEnd, RunRecorder
from agent.settings import AgentSettings
from agent.steps.graph import build_run_graph
from agent.steps.state import PriceUnknown, RunContext, RunState
from agent.threads.messages import last_text
from agent.tools.toolbox import Toolbox, check_approvals
from agent.worker.outcomes import LimitReached, decide, retry_policy
from contracts.agents.runs import PendingToolCall
from servicekit.core.errors import ServiceError
from servicekit.jobs.kind import JobKind, Observer
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.leases import Lease
from servicekit.jobs.outcomes import Ending, Fail, Outcome, Requeue, TryAgain, Wait
from servicekit.sql.transaction import Transaction
from servicekit.telemetry.spans import PROVIDER, Attributes, Span, enter
from servicekit.telemetry.trace_context import TraceContext

log = structlog.get_logger(__name__)
SETTLE_SECONDS, SETTLE_AT_ONCE_SECONDS = 5.0, 1.0
"""How long a run that ends waits for what it was charged; and one that goes on elsewhere at once."""
END_SECONDS = 0.5
"""How long what is under way when a run's time is over may take to end."""
NODES_A_STEP = 4
RECURSION_MARGIN = 50
Result = TypeVar("Result")


class Execution(JobKind[LeasedRun]):
    """Runs agents; one for the life of the service."""

    name = "run"

    def __init__(
        self,
        checkpoints: SqlCheckpoints,
        toolbox: Toolbox,
        models: Models,
        tokens: TokenSource,
        recorder: RunRecorder,
        settings: AgentSettings,
        answering: Answering,
    ) -> None:
        self.checkpoints = checkpoints
        self.graph = build_run_graph(checkpoints)
        self.toolbox = toolbox
        self.models = models
        self.tokens = tokens
        self.recorder = recorder
        self.settings = settings
        self.answering = answering
        self.retry = retry_policy(settings.run_attempts, settings.run_wait_seconds)

    async def load(self, connection: Transaction, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> LeasedRun:
        """The run with its agent's definition."""
        about = row["tenant"], row["agent"], row["agent_version"]
        stored = await definitions.get_stored_definition(connection, *about)
        prompt = await get_stored_prompt(connection, row["tenant"], row["prompt"])
        run = LeasedRun(store, lease, row, stored, self.settings.run_seconds, prompt)
        run.emit("run.started" if row["attempts"] == 1 else "run.restarted", {"attempt": row["attempts"]})
        return run

    async def run(self, run: LeasedRun) -> None:
        """Go on from the last checkpoint until the run ends or waits for a person."""
        if run.row["attempts"] > 1:  # whoever had it before may not have lived to tell what its last step used
            await self._settle(run, SETTLE_SECONDS)
        async with AsyncExitStack() as closing:  # what is slow to close its tools does not hold up the run's end
            self.checkpoints.attach(run.id, run)
            try:
                outcome = await self._advance(run, closing)
            finally:
                self.checkpoints.detach(run.id)
            await self._settle(run, SETTLE_SECONDS)
            if isinstance(outcome, Conclusion):
                log.info("run ended", status=outcome.status, limit=outcome.limit, steps=run.counters["steps"])
                await self._conclude(run, outcome)
            else:
                await run.wait_for_person(outcome)

    async def end(self, run: LeasedRun, ending: Ending) -> None:
        """End the run with what it has said so far."""
        output = await self._so_far(run)
        if isinstance(ending, LimitReached):
            await self._conclude(run, Conclusion("limit_reached", output, ending.limit))
        elif isinstance(ending, Fail):
            await self._conclude(run, Conclusion("failed", output, error=ending.failure))
        else:
            await self._conclude(run, Conclusion("cancelled", output))

    def decide(self, run: LeasedRun, error: Exception) -> Outcome:
        """What an error of the run means."""
        return decide(self.retry, run, error)

    def expects(self, error: Exception) -> bool:
        """Services' errors, and a limit of money for a model without a price."""
        return super().expects(error) or isinstance(error, PriceUnknown)

    async def before_release(self, run: LeasedRun, outcome: Outcome) -> None:
        """Have the run say what it was charged; and until when one that is tried again may take."""
        await self._settle(run, SETTLE_AT_ONCE_SECONDS if isinstance(outcome, Requeue) else SETTLE_SECONDS)
        if isinstance(outcome, Wait | TryAgain):
            run.pause()

    def log_fields(self, run: LeasedRun) -> Mapping[str, Any]:
        """What each log line says."""
        return {"run_id": run.id, "tenant": run.tenant, "request_id": run.row["request_id"]}

    def span(self, run: LeasedRun) -> Span:
        """In the words of OpenTelemetry for agents."""
        row = run.row
        about: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.agent.name": row["agent"],
            "gen_ai.agent.version": str(row["agent_version"]),
            "gen_ai.conversation.id": row["thread_id"],
            "groundwork.run_id": row["id"],
            "groundwork.tenant": row["tenant"],
            "groundwork.run_attempt": row["attempts"],
        }
        return enter(f"invoke_agent {row['agent']}", "internal", TraceContext.read(row["traceparent"]), about)

    def used(self, run: LeasedRun) -> Attributes:
        """Tokens, steps and tool calls. Not as `gen_ai.usage`, which the spans of its model calls have: viewers add
        these up."""
        counters = run.counters
        return {
            "groundwork.input_tokens": counters["prompt_tokens"],
            "groundwork.output_tokens": counters["completion_tokens"],
            "groundwork.steps": counters["steps"],
            "groundwork.tool_calls": counters["tool_calls"],
        }

    async def _conclude(self, run: LeasedRun, ending: Conclusion) -> None:
        now, grant = run.clock.now(), run.row["grant_token"] or ""
        values = ending.values(now)
        async with run.releasing(values, ending.event()) as connection:
            await conclude(connection, self.checkpoints, {**run.row, **values}, now)
        metrics.RUNS.labels(ending.status).inc()
        if run.is_recorded is not False:
            self.recorder.submit(RunEnd(grant, run.row["thread_id"], run.id))

    async def _settle(self, run: LeasedRun, seconds: float) -> None:
        """Count what the run was charged, once its calls are settled; if that can't be had, what it counted itself."""
        if run.seconds_left is not None:
            seconds = min(seconds, max(SETTLE_AT_ONCE_SECONDS, run.seconds_left))
        try:
            async with asyncio.timeout(seconds):
                run.charge(await self.tokens.spent(run.row["grant_token"] or "", run.id))
        except (ServiceError, TimeoutError) as error:
            log.warning("what the run was charged is not known", error=repr(error)[:300])

    async def _so_far(self, run: LeasedRun) -> str | None:
        """What the run has said in its latest step; None if it has said nothing."""
        if run.step_text:
            return run.step_text
        saved = await self.graph.aget_state({"configurable": {"thread_id": run.id}})
        return last_text(run.own(saved.values.get("messages", []))) or None

    async def _advance(self, run: LeasedRun, closing: AsyncExitStack) -> Conclusion | list[PendingToolCall]:
        """Take the run to its end or next wait; at the end of its time it ends with what it has said."""
        await run.flush()
        ends = asyncio.get_running_loop().time() + max(0.05, run.definition.limits.seconds - run.active_seconds)
        limit_of_time = Conclusion("limit_reached", limit="seconds")
        try:
            async with asyncio.timeout_at(ends) as time_limit:
                tools = await closing.enter_async_context(self.toolbox.tools(run.tenant, run.definition))
        except TimeoutError:
            if not time_limit.expired():
                raise
            return replace(limit_of_time, output=await self._so_far(run))
        check_approvals(run.definition, tools)  # a server may call its tools otherwise by now
        database = run.store.database
        context = RunContext(run, tools, self.models, self.tokens, database, self.settings, self.answering)
        outcome = await _until(ends, self._walk(run, context))
        return outcome or replace(limit_of_time, output=await self._so_far(run))

    async def _walk(self, run: LeasedRun, context: RunContext) -> Conclusion | list[PendingToolCall]:
        """Through the graph, from where the run is."""
        config: RunnableConfig = {
            "configurable": {"thread_id": run.id},
            "recursion_limit": run.definition.limits.steps * NODES_A_STEP + RECURSION_MARGIN,
        }
        saved = await self.graph.aget_state(config)
        begin: Any = None
        if saved.interrupts:
            asked = [PendingToolCall.model_validate(call) for call in saved.interrupts[0].value]
            decided = run.row["decisions"] or {}
            if {call.id for call in asked} != set(decided):
                return asked
            begin = Command(resume=decided)
        elif saved.created_at is None:
            begin = {"messages": []}
        elif not saved.next:
            return conclusion_of(cast("RunState", saved.values), run)
        state = await self.graph.ainvoke(begin, config, context=context, durability="sync")
        if interrupts := state.get("__interrupt__"):
            return [PendingToolCall.model_validate(call) for call in interrupts[0].value]
        return conclusion_of(cast("RunState", state), run)


async def _until(ends: float, doing: Coroutine[Any, Any, Result]) -> Result | None:
    """What comes of it by then; None if nothing does. Then it is ended, and not waited for long."""
    task = asyncio.ensure_future(doing)
    try:
        await asyncio.wait({task}, timeout=max(0.0, ends - asyncio.get_running_loop().time()))
        if task.done():
            return task.result()
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise
    task.cancel()
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    await asyncio.wait({task}, timeout=END_SECONDS)
    return None


def conclusion_of(state: RunState, run: LeasedRun) -> Conclusion:
    """How a run ends whose graph has come to its end."""
    limit: Any = state.get("limit")
    if limit is not None:
        output = last_text(run.own(state.get("messages", [])))
        return Conclusion("limit_reached", output, limit, answer=state.get("answer"))
    return Conclusion("completed", state.get("output") or "", answer=state.get("answer"))


class RunObserver(Observer[LeasedRun]):
    """Counts claims and slots."""

    def claimed(self, job: LeasedRun) -> None:
        """A first claim, or one after a wait or a death."""
        metrics.RUN_CLAIMS.labels("first" if job.row["attempts"] == 1 else "again").inc()

    def slots(self, busy: int, free: int) -> None:
        """Runs at work in this process."""
        metrics.RUN_SLOTS.labels("busy").set(busy)
        metrics.RUN_SLOTS.labels("free").set(free)
