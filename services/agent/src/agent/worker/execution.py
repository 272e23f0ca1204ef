"""Carries out one claimed run: under a heartbeat, within its time, from where it was left to its end or next wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, cast

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command
from sqlalchemy.exc import SQLAlchemyError

from agent.ports import Models, TokenSource
from agent.runs.conclusion import Conclusion
from agent.runs.leased_run import RunWork
from agent.runs.queue import RunLedger, waited
from agent.settings import AgentSettings
from agent.steps.graph import RunGraph
from agent.steps.state import RunContext, RunState, Stopping
from agent.threads.messages import last_text
from agent.tools.toolbox import Toolbox, check_approvals
from agent.worker.outcomes import End, TryAgain, Wait, decide, exhausted
from contracts.runs import PendingToolCall
from servicekit.core.errors import ServiceError
from servicekit.jobs.leases import LeaseLost
from servicekit.telemetry.spans import PROVIDER, Attributes, enter, usage
from servicekit.telemetry.trace_context import TraceContext

log = structlog.get_logger(__name__)
BEATS = 3
"""Heartbeats a lease."""
GIVE_BACK_SECONDS = 3.0
"""How long a process that ends may take to put a run back."""
SETTLE_SECONDS = 5.0
"""How long a run that ends waits to be told what it was charged."""
NODES_A_STEP = 4
RECURSION_MARGIN = 50


class Cancelled(Exception):
    """Somebody asked for the run to end."""


@dataclass(frozen=True)
class Execution:
    """Runs agents; one for the life of the service."""

    ledger: RunLedger
    graph: RunGraph
    toolbox: Toolbox
    models: Models
    tokens: TokenSource
    settings: AgentSettings

    async def run(self, work: RunWork, stopping: asyncio.Event) -> None:
        """Carry out a run until it ends, waits for a person, goes back to the queue or belongs to another worker."""
        work.stopping = stopping
        row = work.row
        span = enter(f"invoke_agent {row['agent']}", "internal", TraceContext.read(row["traceparent"]), _about(row))
        with structlog.contextvars.bound_contextvars(
            run_id=work.id, tenant=row["tenant"], request_id=row["request_id"]
        ):
            self.ledger.checkpoints.attach(work.id, work)
            try:
                await self._carry_out(work)
            except asyncio.CancelledError:
                if stopping.is_set():
                    await asyncio.shield(self._give_back(work))
                raise
            except LeaseLost:
                log.info("run taken over or gone")
            except BaseException as error:
                span.fail(error)
                raise
            finally:
                self.ledger.checkpoints.detach(work.id)
                counters = work.counters
                span.set(usage(counters["prompt_tokens"], counters["completion_tokens"]))
                span.set({"groundwork.steps": counters["steps"], "groundwork.tool_calls": counters["tool_calls"]})
                span.end()

    async def _carry_out(self, work: RunWork) -> None:
        if work.row["cancel_requested"]:
            await self._conclude(work, Conclusion("cancelled", await self._so_far(work)))
            return
        if work.row["strikes"] > self.settings.run_attempts:  # each try ended its process, or could not write its end
            failure = exhausted(work.row["strikes"] - 1)
            await self._conclude(work, Conclusion("failed", await self._so_far(work), error=failure))
            return
        if work.row["attempts"] > 1:  # whoever had it before may not have lived to tell what its last step used
            await self._settle(work)
        try:
            outcome = await self._with_heartbeat(work, self._advance(work))
        except (LeaseLost, asyncio.CancelledError):
            raise
        except Stopping:
            await self.ledger.put_back(work, 0, None, blameless=True)
            return
        except Cancelled:
            await self._conclude(work, Conclusion("cancelled", await self._so_far(work)))
            return
        except Exception as error:  # noqa: BLE001  # whatever breaks a run ends or delays that run, and no other
            await self._failed(work, error)
            return
        if isinstance(outcome, Conclusion):
            log.info("run ended", status=outcome.status, limit=outcome.limit, steps=work.counters["steps"])
            await self._conclude(work, outcome)
        else:
            await self._settle(work)
            await self.ledger.wait_for_person(work, outcome)

    async def _conclude(self, work: RunWork, ending: Conclusion) -> None:
        await self._settle(work)
        await self.ledger.conclude(work, ending)

    async def _settle(self, work: RunWork, seconds: float = SETTLE_SECONDS) -> None:
        """Have the run say what it was charged, once its calls are settled; if that can't be had, what it was told."""
        try:
            async with asyncio.timeout(seconds):
                work.charged(await self.tokens.spent(work.row["grant_token"] or "", work.id))
        except (ServiceError, TimeoutError) as error:
            log.warning("what the run was charged is not known", error=repr(error)[:300])

    async def _so_far(self, work: RunWork) -> str | None:
        """What the run has said in its latest step; None if it has said nothing."""
        if work.speaking:
            return work.speaking
        saved = await self.graph.aget_state({"configurable": {"thread_id": work.id}})
        return last_text(saved.values.get("messages", [])) or None

    async def _failed(self, work: RunWork, error: Exception) -> None:
        row = work.row
        outcome = decide(
            error,
            waited=waited(row, self.ledger.clock.now()),
            strikes=row["strikes"],
            max_wait=self.settings.run_wait_seconds,
            max_attempts=self.settings.run_attempts,
        )
        log.warning("run broken off", error=repr(error)[:300], outcome=type(outcome).__name__)
        await self._settle(work)
        if isinstance(outcome, Wait):
            await self.ledger.put_back(work, outcome.seconds, outcome.service, blameless=True)
        elif isinstance(outcome, TryAgain):
            await self.ledger.put_back(work, outcome.seconds, "retry", blameless=False)
        elif isinstance(outcome, End):
            await self.ledger.conclude(work, Conclusion("failed", await self._so_far(work), error=outcome.failure))

    async def _give_back(self, work: RunWork) -> None:
        """The process ends in the middle of a step: another one may go on at once, and no try is counted."""
        try:
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                await self._settle(work, GIVE_BACK_SECONDS / BEATS)
                await self.ledger.put_back(work, 0, None, blameless=True)
        except LeaseLost:
            return  # it has ended or waits already: only the answer to that was cut off
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("run not given back; it is taken over when its lease has ended", error=repr(error)[:300])

    async def _advance(self, work: RunWork) -> Conclusion | list[PendingToolCall]:
        """Go on from the last checkpoint."""
        config: RunnableConfig = {
            "configurable": {"thread_id": work.id},
            "recursion_limit": work.definition.limits.steps * NODES_A_STEP + RECURSION_MARGIN,
        }
        await work.flush()
        async with AsyncExitStack() as closing:
            tools = await closing.enter_async_context(self.toolbox.tools(work.row["tenant"], work.definition))
            check_approvals(work.definition, tools)  # a server may call its tools otherwise by now
            context = RunContext(work, tools, self.models, self.tokens, self.ledger.database, self.settings)
            saved = await self.graph.aget_state(config)
            begin: Any = None
            if saved.interrupts:
                asked = [PendingToolCall.model_validate(call) for call in saved.interrupts[0].value]
                decided = work.row["decisions"] or {}
                if {call.id for call in asked} != set(decided):
                    return asked
                begin = Command(resume=decided)
            elif saved.created_at is None:
                begin = {"messages": []}
            elif not saved.next:
                return concluded(cast("RunState", saved.values))
            left = work.definition.limits.seconds - work.active_seconds
            try:
                async with asyncio.timeout(max(0.05, left)) as time_limit:
                    state = await self.graph.ainvoke(begin, config, context=context, durability="sync")
            except TimeoutError:
                if not time_limit.expired():
                    raise
                return Conclusion("limit_reached", await self._so_far(work), "seconds")
        if interrupts := state.get("__interrupt__"):
            return [PendingToolCall.model_validate(call) for call in interrupts[0].value]
        return concluded(cast("RunState", state))

    async def _with_heartbeat(self, work: RunWork, carried_out: Coroutine[Any, Any, Any]) -> Any:
        """Do the work while renewing its lease; when that is lost or the run cancelled, the work is stopped at once."""
        task = asyncio.create_task(carried_out)
        ending: Exception | None = None
        due = time.monotonic() + self.settings.run_lease_seconds / BEATS  # however often it rings meanwhile
        try:
            with self.ledger.notifier.subscribe(work.id) as subscription:
                ringing: asyncio.Task[bool] | None = None
                while not task.done() and ending is None:
                    ringing = asyncio.create_task(subscription.wait(max(0.0, due - time.monotonic())))
                    await asyncio.wait({task, ringing}, return_when=asyncio.FIRST_COMPLETED)
                    if task.done():
                        ringing.cancel()
                        await asyncio.gather(ringing, return_exceptions=True)
                    elif time.monotonic() < due and ringing.result():
                        ending = await self._beat(work, told=True)
                    else:
                        ending = await self._beat(work, told=False)
                        due = time.monotonic() + self.settings.run_lease_seconds / BEATS
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if ending is not None and (task.cancelled() or task.exception() is not None):
            raise ending
        return task.result()

    async def _beat(self, work: RunWork, *, told: bool) -> Exception | None:
        """Renew the lease, or look whether the run was cancelled; why the work must stop, if it must."""
        try:
            cancel = await (self.ledger.cancel_requested(work) if told else self.ledger.renew(work))
        except LeaseLost as lost:
            return lost
        except (SQLAlchemyError, OSError) as error:
            log.warning("heartbeat failed", error=repr(error)[:300])
            return None
        return Cancelled() if cancel else None


def _about(row: Mapping[str, Any]) -> Attributes:
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.agent.name": row["agent"],
        "gen_ai.agent.version": str(row["agent_version"]),
        "gen_ai.conversation.id": row["thread_id"],
        "groundwork.run_id": row["id"],
        "groundwork.tenant": row["tenant"],
        "groundwork.run_attempt": row["attempts"],
    }


def concluded(state: RunState) -> Conclusion:
    """How a run ends whose graph has come to its end."""
    limit: Any = state.get("limit")
    if limit is not None:
        return Conclusion("limit_reached", last_text(state.get("messages", [])), limit)
    return Conclusion("completed", state.get("output") or "")
