"""Has the lab judge answers of monitors that name a judge, one after the other, beside live traffic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from contracts.improvement.evaluations import JudgeSpec
from contracts.improvement.live_judges import MOST_PASSAGES, Judgement, JudgementCreate
from contracts.improvement.monitors import MonitorJudge
from contracts.improvement.question_sets import MAX_ANSWER_CHARS, QuestionRecord, Turn
from gateway.auth.authentication import Authenticator
from gateway.auth.tokens import GRANT_HEADER, QUOTED, TokenIssuer
from gateway.feedback.answers import AnswerSource, RecordedAnswer, text_of
from gateway.metrics import MONITOR_VERDICTS
from gateway.monitors.errors import JudgeKeyNarrowed
from gateway.monitors.figures import RIGHT, WRONG
from gateway.monitors.repository import StoredMonitor
from gateway.monitors.service import Monitors
from gateway.monitors.verdicts import FAILED, SKIPPED, Taken, calls_of
from servicekit.core.errors import ServiceError
from servicekit.peers.client import Peer

log = structlog.get_logger(__name__)
AT_ONCE = 4
"""Answers of different monitors that are judged at once by one replica; of one monitor one."""
LOOK_SECONDS = 5.0
LOOK_SHARE = 20.0
"""It pauses so many times as long as a look took that found nothing to judge."""
VERDICT_SECONDS = 600.0
WAITS_FOR = frozenset((401, 403, 404, 429, 503))
"""Statuses that say nothing of the answer: the lab, the model, the key or a limit is to be waited for."""
PAUSE = timedelta(minutes=1)
MOST_TURNS = 20
TURN_CHARS = 12_000
PASSAGE_CHARS = 4000
"""More than a judge is shown."""
NOT_TO_BE_JUDGED = "answer_not_readable"
Monitored = tuple[str, str]
"""Tenant and name."""


@dataclass(frozen=True, slots=True)
class MonitorJudges:
    """The judges of all monitors. What they ask is asked by the monitor's key, as it is then."""

    monitors: Monitors
    answers: AnswerSource
    authenticator: Authenticator
    issuer: TokenIssuer
    lab: Peer
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def run(self) -> None:
        """Until cancelled. Every replica does; each answer is with one of them."""
        at_work: dict[Monitored, asyncio.Task[bool]] = {}
        try:
            while True:
                began = time.perf_counter()
                some = await self._round(at_work)
                if not some:
                    await asyncio.sleep(max(LOOK_SECONDS, LOOK_SHARE * (time.perf_counter() - began)))
        finally:
            for task in at_work.values():
                task.cancel()

    async def _round(self, at_work: dict[Monitored, asyncio.Task[bool]]) -> bool:
        """Begin with an answer of each monitor that is not at one, and wait for the first to end, but not long: a slow
        judge keeps no other waiting. Whether any was judged."""
        try:
            for one, judge in await self._judged():
                name = (one.scope.tenant, one.spec.name)
                if name not in at_work:
                    at_work[name] = asyncio.create_task(self._judge_one(one, judge))
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("answers could not be judged", reason=repr(error)[:300])
        if not at_work:
            return False
        await asyncio.wait(at_work.values(), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ended = {name: task for name, task in at_work.items() if task.done()}
        for name in ended:
            del at_work[name]
        return any(task.result() for task in ended.values())

    async def judge_some(self) -> bool:
        """One answer of each monitor that has some; whether there were any."""
        return any(await asyncio.gather(*(self._judge_next(one, judge) for one, judge in await self._judged())))

    async def _judged(self) -> list[tuple[StoredMonitor, MonitorJudge]]:
        found = await self.monitors.repository.list_monitors()
        return [(one, one.spec.judge) for one in found if one.spec.judge is not None]

    async def _judge_one(self, one: StoredMonitor, judge: MonitorJudge) -> bool:
        """The same as `_judge_next`, of which nothing is raised."""
        try:
            return await self._judge_next(one, judge)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("answers could not be judged", reason=repr(error)[:300])
        except Exception:  # of one answer, which must not end the judging of all others
            log.exception("an answer broke its judge", monitor=one.spec.name)
        return False

    async def _judge_next(self, one: StoredMonitor, judge: MonitorJudge) -> bool:
        async with self._room:
            taken = await self.monitors.verdicts.take(one, judge)
            if taken is not None:
                await self._judge(one, judge, taken)
            return taken is not None

    async def _judge(self, one: StoredMonitor, judge: MonitorJudge, taken: Taken) -> None:
        found = await self.answers.get_answers(one.scope.tenant, [taken.record_id])
        answer = found.get(taken.record_id)
        said_before = _turns(answer) if answer is not None and answer.has_words else []
        if answer is None or not said_before:
            await self.monitors.verdicts.keep(one, taken, SKIPPED)
            return
        try:
            said = await self._ask(one, _question(one, judge, taken, answer, said_before))
        except ValidationError:
            await self._keep(one, taken, FAILED, error=NOT_TO_BE_JUDGED)
        except ServiceError as error:
            MONITOR_VERDICTS.labels("postponed").inc()
            log.warning("an answer is judged later", monitor=one.spec.name, reason=error.message)
            counts = error.http_status not in WAITS_FOR
            await self.monitors.verdicts.release(one, taken, error.code, PAUSE, counts=counts)
        else:
            if said.right is None:
                await self._keep(one, taken, FAILED, error=said.error.code if said.error else "no_verdict")
            else:
                await self._keep(one, taken, RIGHT if said.right else WRONG, said.reason)

    async def _keep(self, one: StoredMonitor, taken: Taken, state: str, reason: str = "", error: str = "") -> None:
        if await self.monitors.verdicts.keep(one, taken, state, reason, error):
            MONITOR_VERDICTS.labels(state).inc()

    async def _ask(self, one: StoredMonitor, asked: JudgementCreate) -> Judgement:
        """Raises what is to be waited for."""
        principal = await self.authenticator.require_active(one.key_id)
        principal.require("records:read")
        if principal.is_limited and one.scope.key_id is None:
            raise JudgeKeyNarrowed
        return await self.lab.call(
            "POST",
            "/v1/judgements",
            Judgement,
            token=self.issuer.token(principal, QUOTED, asked.name),
            body=asked,
            headers={GRANT_HEADER: self.issuer.grant(principal, asked.name)},
            timeout_seconds=VERDICT_SECONDS,
        )


def _question(
    one: StoredMonitor, judge: MonitorJudge, taken: Taken, answer: RecordedAnswer, said: list[tuple[str, str]]
) -> JudgementCreate:
    """Raises `ValidationError` where the words are none that can be sent."""
    return JudgementCreate(
        name=f"{calls_of(one)}.{taken.record_id}.{taken.tries}",
        judge=JudgeSpec(model=judge.model, rubric=judge.rubric),
        question=QuestionRecord(
            id=taken.record_id, turns=[Turn.model_validate({"role": role, "content": text}) for role, text in said]
        ),
        answer=answer.answer[:MAX_ANSWER_CHARS],
        passages=_passages(answer),
    )


def _turns(answer: RecordedAnswer) -> list[tuple[str, str]]:
    """The conversation in words, by role; what an application told its model is no part of it."""
    said = [(str(each.get("role")), text_of(each.get("content")).strip()) for each in answer.messages]
    turns = [(role, text[:TURN_CHARS]) for role, text in said if role in ("user", "assistant") and text]
    while turns and turns[-1][0] != "user":
        turns.pop()
    return turns[-MOST_TURNS:]


def _passages(answer: RecordedAnswer) -> Sequence[str]:
    """What the answer was made from, the cited ones first."""
    hits = sorted(answer.hits, key=lambda hit: not hit.cited)
    return [hit.text[:PASSAGE_CHARS] for hit in hits if hit.text][:MOST_PASSAGES]
