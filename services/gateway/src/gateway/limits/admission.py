"""Whether a call may pass: all limits and budgets of its key, tenant and model, reserved before and settled after."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any, Literal

import structlog

from gateway.auth.keys import Principal
from gateway.limits.budget_repository import BudgetRepository
from gateway.limits.errors import (
    BudgetExceeded,
    CallTooLarge,
    LimitReached,
    LimitsUnavailable,
    PriceUnknown,
    TooManyAtOnce,
    TooManyRequests,
    TooManyTokens,
)
from gateway.limits.limiter import Gate, GateState, Limiter, LimiterUnavailable, Settlement, Spent, Verdict
from gateway.limits.reservations import (
    NO_USAGE,
    MaxUsage,
    Reservation,
    amount_of,
    attempt_gates_of,
    call_gates_of,
    limit_headers,
)
from gateway.metrics import BUDGET_ALERTS, LIMIT_REJECTIONS, LIMITS_SKIPPED
from gateway.models.cost import usd_text
from servicekit.core.clock import Clock
from servicekit.core.identifiers import new_id

log = structlog.get_logger(__name__)
UNAVAILABLE_SECONDS = 1.0
LOADS = 3
"""Tries to make budgets known before a call gives up; the second is for a limiter that was flushed meanwhile."""
SETTLE_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0)
MOST_UNSETTLED = 10_000
"""Attempts that wait for a limiter that is away; more are left to the ledger at once."""
DRAIN_SECONDS = 2.0
WhenUnavailable = Literal["allow", "refuse"]


class Admission:
    """Holds calls to the limits of their key, tenant and model."""

    def __init__(
        self, limiter: Limiter, budgets: BudgetRepository, when_unavailable: WhenUnavailable, clock: Clock
    ) -> None:
        self._limiter = limiter
        self._budgets = budgets
        self._when_unavailable = when_unavailable
        self._clock = clock
        self._unavailable_since: float | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._slots: dict[int, tuple[str, Sequence[Gate]]] = {}

    async def reserve(
        self, principal: Principal, attempt_id: str, max_usage: MaxUsage, began: datetime, *, opens_call: bool
    ) -> Reservation:
        """Let an attempt in, charged for all that it may use; raises the error of the first limit that refuses.

        `opens_call` says that it is the first attempt of a public call, which takes its request and its slot, too.
        If the caller is cancelled meanwhile, what was charged is given back.
        """
        call_gates = tuple(call_gates_of(principal)) if opens_call else ()
        gates = tuple(attempt_gates_of(principal, max_usage, began))
        self._refuse_impossible(gates, max_usage)
        return await self._take(Reservation(attempt_id, max_usage, began, call_gates, gates))

    async def take_slot(self, principal: Principal, name: str) -> Reservation:
        """A slot of a key and its tenant for what is no request; `leave` ends it. Raises `TooManyAtOnce`."""
        gates = tuple(gate for gate in call_gates_of(principal) if gate.kind == "concurrency")
        return await self._take(Reservation(name, NO_USAGE, self._clock.now(), gates, ()))

    async def _take(self, reservation: Reservation) -> Reservation:
        if not reservation.call_gates and not reservation.gates:
            return reservation
        task = self._in_background(self._charge(reservation))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(lambda done: self._release(done, reservation))
            raise
        return reservation

    def settle(self, reservation: Reservation, tokens: int, cost: int | None, *, ends_call: bool) -> asyncio.Task[None]:
        """Put what was used in the place of what was reserved; goes on if the caller is cancelled.

        A limiter that is away is asked again for some seconds; afterwards windows and leases end by themselves, and
        budgets are put right by the ledger.
        """
        self._slots.pop(id(reservation), None)
        if not ends_call:
            self._occupy(reservation, reservation.call_gates)
        gates = (*reservation.call_gates, *reservation.gates) if ends_call else reservation.gates
        begun = None
        if not reservation.charged:  # all that is left to do is to charge what it cost
            begun, gates = reservation.began, tuple(gate for gate in gates if gate.kind == "budget")
        return self._in_background(self._settle(Settlement(reservation.attempt_id, tokens, cost or 0, begun), gates))

    def leave(self, reservation: Reservation, *, refused: bool = False) -> asyncio.Task[None]:
        """End a call whose first attempt was settled before, or was `refused` after the call had entered: its slot is
        free."""
        self._slots.pop(id(reservation), None)
        settlement = Settlement(reservation.attempt_id, 0, 0, refused=refused)
        return self._in_background(self._settle(settlement, reservation.call_gates))

    async def ask(self, principal: Principal, max_usage: MaxUsage, at: datetime) -> None:
        """Whether an attempt with this usage would be let in now; it is not charged."""
        reservation = await self.reserve(principal, new_id("asked"), max_usage, at, opens_call=False)
        self.settle(reservation, 0, 0, ends_call=True)

    async def settle_late(
        self, attempt_id: str, gates: Sequence[Gate], tokens: int, cost: int | None, began: datetime | None = None
    ) -> None:
        """Settle an attempt whose replica has died, or with `began` what was never reserved; raises
        `LimiterUnavailable`."""
        self._report_alerts(await self._limiter.settle(Settlement(attempt_id, tokens, cost or 0, began), gates))

    async def renew(self) -> None:
        """Keep the slots of everything that runs here; raises `LimiterUnavailable`."""
        if self._slots:
            await self._limiter.renew(list(self._slots.values()))

    async def drain(self) -> None:
        """Wait, for a bounded time, until everything is settled."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=DRAIN_SECONDS)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _occupy(self, reservation: Reservation, gates: Sequence[Gate]) -> None:
        if any(gate.kind == "concurrency" for gate in gates):
            self._slots[id(reservation)] = reservation.attempt_id, gates

    def _release(self, done: asyncio.Task[None], reservation: Reservation) -> None:
        if not done.cancelled() and done.exception() is None:
            self.settle(reservation, 0, 0, ends_call=True)

    async def _charge(self, reservation: Reservation) -> None:
        gates, max_usage = (*reservation.call_gates, *reservation.gates), reservation.max_usage
        amounts = [amount_of(gate, max_usage) for gate in gates]
        verdict = await self._ask(reservation.attempt_id, gates, amounts)
        if verdict is None:
            reservation.charged = False
            return
        headers = limit_headers(gates, verdict.gates)
        if verdict.refused is not None:
            gate = gates[verdict.refused]
            LIMIT_REJECTIONS.labels(f"{gate.whose}_{gate.kind}").inc()
            raise self._refusal(gate, verdict.gates[verdict.refused], headers)
        reservation.headers = headers
        self._occupy(reservation, gates)

    async def _ask(self, attempt_id: str, gates: Sequence[Gate], amounts: Sequence[int]) -> Verdict | None:
        if not self._was_just_unavailable():
            try:
                verdict = await self._ask_loaded(attempt_id, gates, amounts)
            except LimiterUnavailable as error:
                if self._unavailable_since is None:
                    log.error("limits can't be checked: redis is away", calls=self._when_unavailable, reason=str(error))
                self._unavailable_since = self._clock.now().timestamp()
                self._in_background(self._settle(Settlement(attempt_id, 0, 0), gates))  # it may have come through
            else:
                if self._unavailable_since is not None:
                    log.warning("limits are checked again: redis is back")
                    self._unavailable_since = None
                return verdict
        if self._when_unavailable == "refuse":
            LIMIT_REJECTIONS.labels("redis_away").inc()
            raise LimitsUnavailable
        LIMITS_SKIPPED.inc()
        return None

    def _was_just_unavailable(self) -> bool:
        """Whether Redis was away a moment ago: no call waits for it then."""
        return (
            self._unavailable_since is not None
            and 0 <= self._clock.now().timestamp() - self._unavailable_since < UNAVAILABLE_SECONDS
        )

    async def _ask_loaded(self, attempt_id: str, gates: Sequence[Gate], amounts: Sequence[int]) -> Verdict:
        for _ in range(LOADS):
            verdict = await self._limiter.reserve(attempt_id, gates, amounts)
            if not verdict.unloaded:
                return verdict
            for at in verdict.unloaded:
                await self._budgets.load(self._limiter, gates[at])
        raise LimiterUnavailable("budgets do not stay loaded")

    async def _settle(self, settlement: Settlement, gates: Sequence[Gate]) -> None:
        if not gates:
            return
        for seconds in SETTLE_RETRY_SECONDS:
            if not self._was_just_unavailable():
                try:
                    self._report_alerts(await self._limiter.settle(settlement, gates))
                except LimiterUnavailable:
                    pass
                else:
                    return
            if len(self._tasks) > MOST_UNSETTLED:
                break
            await asyncio.sleep(seconds)
        log.error("not settled in redis; the ledger puts it right", attempt=settlement.attempt_id)

    def _report_alerts(self, budgets: Sequence[Spent]) -> None:
        for spent in budgets:
            for percent in spent.passed:
                gate = spent.gate
                BUDGET_ALERTS.labels(gate.whose, str(percent)).inc()
                log.warning(
                    "budget alert",
                    percent=percent,
                    whose=gate.whose,
                    name=gate.name,
                    period=gate.period.label if gate.period else None,
                    spent_usd=usd_text(spent.nano_usd),
                    limit_usd=usd_text(gate.limit),
                )

    def _refuse_impossible(self, gates: Sequence[Gate], max_usage: MaxUsage) -> None:
        for gate in gates:
            if gate.kind == "budget" and max_usage.cost is None:
                raise PriceUnknown(max_usage.model.id if max_usage.model else None, gate.whose)
            if gate.kind == "tokens" and amount_of(gate, max_usage) > gate.limit:
                raise CallTooLarge(max_usage.tokens, gate.limit, gate.whose)

    def _refusal(self, gate: Gate, state: GateState, headers: dict[str, str]) -> LimitReached:
        retry_after = max(1, math.ceil(state.retry_seconds))
        if gate.kind == "requests":
            return TooManyRequests(gate.limit, gate.whose, retry_after, headers)
        if gate.kind == "tokens":
            return TooManyTokens(gate.limit, gate.whose, retry_after, headers)
        if gate.kind == "concurrency" or gate.period is None:
            return TooManyAtOnce(gate.limit, gate.whose, 1, headers)
        seconds = max(1, math.ceil((gate.period.until - self._clock.now()).total_seconds()))
        return BudgetExceeded(gate.whose, gate.period.window, gate.limit, gate.period.until, seconds, headers)
