"""What judges of monitors said of answers, in SQL: one row a monitor and answer, so that none is judged twice, however
many replicas ask and whichever of them dies."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from contracts.improvement.monitors import MonitorJudge, MonitorVerdicts
from gateway.feedback.agreement import rated_by_people
from gateway.models.cost import to_nano_usd, usd_text
from gateway.monitors.figures import RIGHT, WRONG, Windows, answers_of
from gateway.monitors.repository import StoredMonitor
from gateway.storage.tables import monitor_verdicts, monitors, record_measures, records, usage
from servicekit.core.clock import Clock
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction

OPEN, FAILED, SKIPPED = "open", "failed", "skipped"
LEASE = timedelta(minutes=11)
"""How long an answer is with one who asks: for longer than a verdict may take."""
TRIES = 3
"""Of one answer, by replicas that died or were told of a fault, before it has failed."""
INTERRUPTED = "judging_interrupted"
"""What it failed by where all who asked died."""
_ROW, _VERDICT = record_measures.c, monitor_verdicts.c


@dataclass(frozen=True, slots=True)
class Taken:
    """An answer that is to be judged now, by whoever has it."""

    record_id: str
    tries: int
    lease_until: datetime
    """Also what tells this time from a later one."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Takes answers to be judged, and keeps what was said of them."""

    database: Database
    clock: Clock

    async def take(self, one: StoredMonitor, judge: MonitorJudge) -> Taken | None:
        """The next answer: one that was begun with before, or a new one of the window. None while its judge waits, has
        done all it may, or has nothing to do."""
        now = self.clock.now()
        windows = Windows.at(now, one.spec)
        if await self._has_spent(one, judge, windows):
            return None
        same = (monitors.c.tenant == one.scope.tenant, monitors.c.name == one.spec.name)
        locked = select(monitors.c.name).where(*same, monitors.c.created_at == one.created_at).with_for_update()
        try:
            async with self.database.write() as connection:
                if (await connection.execute(locked)).first() is None or await self._waits(connection, one, now):
                    return None
                late = await self._late(connection, one, now)
                return late or await self._new(connection, one, judge, windows, now)
        except IntegrityError:  # its record was deleted in between
            return None

    async def keep(self, one: StoredMonitor, taken: Taken, state: str, reason: str = "", error: str = "") -> bool:
        """A verdict, or that there is none; whether it was still this one's to give."""
        values = {"state": state, "reason": reason or None, "error": error[:80] or None}
        return await self._change(one, taken, values)

    async def release(self, one: StoredMonitor, taken: Taken, error: str, pause: timedelta, *, counts: bool) -> None:
        """Judge it later, and no other of this monitor before; what `counts` ends as a failure in the end."""
        if counts and taken.tries >= TRIES:
            await self.keep(one, taken, FAILED, error=error)
            return
        values = {"error": error[:80], "tries": taken.tries - (not counts), "lease_until": self.clock.now() + pause}
        await self._change(one, taken, values)

    async def summary(self, one: StoredMonitor, judge: MonitorJudge) -> MonitorVerdicts:
        """What there is of the window so far."""
        windows = Windows.at(self.clock.now(), one.spec)
        mine = (*_of(one), _VERDICT.at >= windows.start)
        counted = select(_VERDICT.state, func.count().label("count")).where(*mine).group_by(_VERDICT.state)
        counts = {row["state"]: row["count"] for row in await self.database.read(rows_of(counted))}
        error = select(_VERDICT.error, _VERDICT.state).where(*_of(one), _VERDICT.error.is_not(None))
        last = await self.database.read(rows_of(error.order_by(_VERDICT.state != OPEN, _VERDICT.at.desc()).limit(1)))
        spent = await self._spent(one, windows)
        is_full = sum(counts.values()) >= judge.most
        return MonitorVerdicts(
            right=counts.get(RIGHT, 0),
            wrong=counts.get(WRONG, 0),
            failed=counts.get(FAILED, 0),
            error=last[0]["error"] if last else None,
            waits=bool(last) and last[0]["state"] == OPEN,
            limited="most" if is_full else "budget_usd" if _is_over(judge, spent) else None,
            cost_usd=usd_text(spent),
            rated=await rated_by_people(self.database, one.scope.tenant, _judged(one)),
        )

    async def _waits(self, connection: Transaction, one: StoredMonitor, now: datetime) -> bool:
        waiting = (_VERDICT.state == OPEN, _VERDICT.error.is_not(None), _VERDICT.lease_until > now)
        return (
            await connection.execute(select(_VERDICT.record_id).where(*_of(one), *waiting).limit(1))
        ).first() is not None

    async def _late(self, connection: Transaction, one: StoredMonitor, now: datetime) -> Taken | None:
        """One that whoever had it did not end."""
        over = (*_of(one), _VERDICT.state == OPEN, _VERDICT.lease_until <= now)
        given_up = update(monitor_verdicts).where(*over, _VERDICT.tries >= TRIES)
        await connection.execute(given_up.values(state=FAILED, error=func.coalesce(_VERDICT.error, INTERRUPTED)))
        query = select(_VERDICT.record_id, _VERDICT.tries).where(*over).order_by(_VERDICT.at).limit(1)
        row = (await connection.execute(query)).first()
        if row is None:
            return None
        taken = Taken(row[0], row[1] + 1, now + LEASE)
        again = update(monitor_verdicts).where(*_of(one), _VERDICT.record_id == taken.record_id)
        await connection.execute(again.values(tries=taken.tries, lease_until=taken.lease_until, error=None))
        return taken

    async def _new(
        self, connection: Transaction, one: StoredMonitor, judge: MonitorJudge, windows: Windows, now: datetime
    ) -> Taken | None:
        taken_before = select(func.count()).where(*_of(one), _VERDICT.at >= windows.start)
        if (await connection.execute(taken_before)).scalar_one() >= judge.most:
            return None
        row = (await connection.execute(_unjudged(one, judge, windows))).first()
        if row is None:
            return None
        taken = Taken(row[0], 1, now + LEASE)
        values = {"record_id": row[0], "monitor": one.spec.name, "tenant": one.scope.tenant, "at": row[1]}
        state = {"state": OPEN, "tries": taken.tries, "lease_until": taken.lease_until}
        await connection.execute(insert(monitor_verdicts).values(**values, **state))
        return taken

    async def _change(self, one: StoredMonitor, taken: Taken, values: Mapping[str, Any]) -> bool:
        same = (_VERDICT.record_id == taken.record_id, _VERDICT.lease_until == taken.lease_until)
        change = update(monitor_verdicts).where(*_of(one), *same, _VERDICT.state == OPEN).values(**values)
        async with self.database.write() as connection:
            return bool((await connection.execute(change)).rowcount)

    async def _has_spent(self, one: StoredMonitor, judge: MonitorJudge, windows: Windows) -> bool:
        return judge.budget_usd is not None and _is_over(judge, await self._spent(one, windows))

    async def _spent(self, one: StoredMonitor, windows: Windows) -> int | None:
        """In the window, in nano-dollars; null where a price is not known."""
        named = usage.c.request_id.startswith(f"{calls_of(one)}.", autoescape=True)
        mine = (usage.c.key_id == one.key_id, usage.c.started_at >= windows.start, named)
        unknown = func.count().filter(usage.c.cost_nano_usd.is_(None))
        query = select(func.coalesce(func.sum(usage.c.cost_nano_usd), 0).label("cost"), unknown.label("unknown"))
        row = (await self.database.read(rows_of(query.where(*mine))))[0]
        return None if row["unknown"] else int(row["cost"])


def calls_of(one: StoredMonitor) -> str:
    """What the request ids of its judge's calls begin with, by which the usage ledger knows them."""
    which = f"{one.scope.tenant}\0{one.spec.name}\0{one.created_at.isoformat()}"
    return f"mon_{hashlib.sha256(which.encode()).hexdigest()[:16]}"


def _of(one: StoredMonitor) -> tuple[ColumnElement[bool], ...]:
    return _VERDICT.tenant == one.scope.tenant, _VERDICT.monitor == one.spec.name


def _is_over(judge: MonitorJudge, spent: int | None) -> bool:
    return judge.budget_usd is not None and spent is not None and spent >= to_nano_usd(judge.budget_usd)


def _judged(one: StoredMonitor) -> Any:
    is_right = (_VERDICT.state == RIGHT).label("is_right")
    given = _VERDICT.state.in_((RIGHT, WRONG))
    return select(_VERDICT.record_id.label("answer_id"), is_right).where(*_of(one), given).subquery()


def _unjudged(one: StoredMonitor, judge: MonitorJudge, windows: Windows) -> Any:
    """The oldest answer of the window that is drawn, has words and was not begun with."""
    drawn = _ROW.sample < math.ceil(one.spec.sample_percent * judge.sample_percent)
    has_words = and_(records.c.mode == "full", records.c.answer.is_not(None), records.c.answer != "")
    is_answer = and_(records.c.error_type.is_(None), records.c.abstained.is_(False))
    begun = exists().where(_VERDICT.record_id == _ROW.record_id, _VERDICT.monitor == one.spec.name)
    joined = record_measures.join(records, records.c.id == _ROW.record_id)
    where = (*answers_of(one.scope, one.spec), _ROW.at >= windows.start, drawn, has_words, is_answer, ~begun)
    return select(_ROW.record_id, _ROW.at).select_from(joined).where(*where).order_by(_ROW.at).limit(1)
