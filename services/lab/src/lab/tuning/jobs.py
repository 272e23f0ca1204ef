"""A tuning job as a durable job: its questions are looked through, a method learns from them, and what it learnt is
kept with what it is worth."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import structlog

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import NotPublished
from contracts.models.tuning import Stage
from lab.evaluations.comparison import Difference, compare
from lab.metrics import TUNED_TOKENS, TUNING_ENDED, TUNING_LOSS
from lab.tuning import repository
from lab.tuning.charges import LEARNT_ON, Charges, add_charge
from lab.tuning.data import Split
from lab.tuning.errors import BaseReplaced, LossNotFinite
from lab.tuning.folders import JobFolders
from lab.tuning.gates.parity import (
    CHANCES,
    ParityCheck,
    Said,
    ServedCheck,
    ask_both,
    draw_asked,
    is_checked,
    parity_gate,
    parity_of,
)
from lab.tuning.gates.quality import general_of, quality_gate
from lab.tuning.lessons import read_general, read_split
from lab.tuning.method import Figures, Method, Trained, Work
from lab.tuning.publication import Learnt, Publisher, Refused, Token
from servicekit.core.errors import ServiceError
from servicekit.jobs.events import Event
from servicekit.jobs.kind import JobKind
from servicekit.jobs.leased_job import JobStore, LeasedJob
from servicekit.jobs.leases import Lease, LeaseLost
from servicekit.jobs.outcomes import Cancel, Ending, Fail, RetryPolicy
from servicekit.sql.transaction import Transaction

log = structlog.get_logger(__name__)
Result = TypeVar("Result")
LEARNT = "learnt_tokens"
"""In a job's result: those of its tokens that were read before the parity check."""
ASKED = "asked"
"""In a job's result: the ids of the questions that the served models are asked."""
EXHAUSTED = (
    "The trainer was ended {} times without getting further: by the system, as it does where memory is short, or by "
    "the lab, as it said nothing for LAB_TUNING_SILENT_SECONDS. The lab's log says which, with its last words. Choose "
    "a smaller 'max_tokens' or 'batch_size', or a smaller model."
)


class Grants(Protocol):
    """What a job's grant is good for."""

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        """A token for inference; 403 `key_revoked` once the key is."""


@dataclass(frozen=True)
class TuningJobs(JobKind[LeasedJob]):
    """Looks through the data, has a method learn, and keeps what came of it."""

    methods: Mapping[str, Method]
    grants: Grants
    folders: JobFolders
    publisher: Publisher
    charges: Charges
    retry = RetryPolicy(max_attempts=3, max_wait=3600, exhausted=EXHAUSTED)
    name = "tuning"

    async def load(self, connection: Transaction, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> LeasedJob:
        """The row is all there is."""
        return LeasedJob(store, lease, row)

    async def run(self, job: LeasedJob) -> None:
        """From the questions to what was learnt from them, and to a model that answers by it."""
        if not _has_learnt(job):
            method = self.methods[job.row["method"]]
            split = await read_split(job, method)
            general = await read_general(job)
            job.checkpoint()
            work = self._work(job, split, general)
            await self._keep(job, await job.unless_giving_way(_unless_stopping(job, method.train(work))), split)
        job.checkpoint()
        await self._publish(job)

    async def end(self, job: LeasedJob, ending: Ending) -> None:
        """What it had learnt until then is gone. Where it has learnt all and could not be published, it is kept."""
        failure = ending.failure
        if _has_learnt(job):
            await self._unpublish(job)
            if isinstance(ending, Fail):
                why = NotPublished(code=ending.failure.code, message=ending.failure.message)
                return await self._succeed(job, None, why, unless_cancelled=False)
        status = "failed" if isinstance(ending, Fail) else "cancelled"
        said = "The job was cancelled." if failure is None else failure.message
        level = "info" if isinstance(ending, Cancel) else "error"
        reason = None if failure is None else failure.model_dump()
        values = {"status": status, "error": reason}
        async with self._ending(job, values, Event("message", {"message": said, "level": level})) as connection:
            await connection.run(repository.delete_artifact, job.id)
            log.info("tuning ended", status=status, reason=None if failure is None else failure.code)
        TUNING_ENDED.labels(status).inc()
        await self.charges.send(job.id)
        await self.folders.remove(job.id)
        return None

    def _token(self, job: LeasedJob) -> Token:
        return partial(self.grants.token, job.row["grant_token"], call_id=job.id)

    def _work(self, job: LeasedJob, split: Split, general: Sequence[QuestionRecord]) -> Work:
        row = job.row
        return Work(
            job_id=job.id,
            model=row["model"],
            seed=row["seed"],
            settings=row["settings"],
            train=split.train,
            held_out=split.held_out,
            general=general,
            folder=self.folders.of(job.id),
            known_base=(row["result"] or {}).get("base"),
            known_tokens=(row["result"] or {}).get(LEARNT, row["trained_tokens"]),
            token=self._token(job),
            report=_JobReport(job),
        )

    async def _keep(self, job: LeasedJob, trained: Trained, split: Split) -> None:
        """The artifact and the verdicts, so that an attempt after this one does not learn again; raises
        `LossNotFinite`."""
        general = (trained.general_after, trained.general_before)
        for figures in (trained.before, trained.after, *general, trained.figures):
            for name, value in figures.items():
                if not math.isfinite(value):
                    raise LossNotFinite(f"{name}: {value}")
        await self.grants.token(job.row["grant_token"], fresh=True, call_id=job.id)  # its key may be revoked since
        difference = await asyncio.to_thread(compare, trained.measure, trained.after, trained.before)
        forgotten = await asyncio.to_thread(compare, trained.general_measure, *general)
        digest = f"sha256:{await asyncio.to_thread(lambda: hashlib.sha256(trained.artifact).hexdigest())}"
        figures = {**trained.figures, **({} if difference is None else _figures_of(difference))}
        result = {
            **(job.row["result"] or {}),
            "verdict": None if difference is None else difference.verdict,
            "words": None if difference is None else difference.words,
            **general_of(forgotten),
            "figures": figures,
            ASKED: [one.id for one in draw_asked(split.held_out, trained.after, job.row["seed"])],
            "artifact": digest,
            "artifact_bytes": len(trained.artifact),
            "kind": trained.kind,
        }
        job.emit("message", {"message": f"Of the tuned model against the one before: {result['words']}"})
        if forgotten is not None:
            job.emit("message", {"message": f"The same on the general set: {result['general']}"})
        put = partial(
            repository.put_artifact, job_id=job.id, tenant=job.tenant, digest=digest, content=trained.artifact
        )
        tokens = max(trained.tokens, job.row["trained_tokens"])
        values = {"result": {**result, LEARNT: tokens}, "trained_tokens": tokens}
        await job.write(put, values=values, progress=True, unless_cancelled=True)
        TUNED_TOKENS.inc(tokens)

    async def _publish(self, job: LeasedJob) -> None:
        """Have it served, if it passes the gates, and end the job with it."""
        learnt = Learnt(job.row, partial(repository.pieces, job.store.database, job.id))
        try:
            await self._check_parity(job, learnt)
            checked = is_checked(self.methods[job.row["method"]], job.row["settings"])
            why = parity_gate(job.row["result"], is_checked=checked) or quality_gate(job.row)
            name = None if why else await _to_its_end(self._declare(job, learnt, "published"))
        except Refused as refused:
            name, why = None, refused.why
        if name is None:
            await self._unpublish(job)  # what attempts before this one declared may be left, candidates, too
            return await self._succeed(job, None, why)
        try:
            await self._succeed(job, name, None)
        except LeaseLost:
            await self._unpublish_if_gone(job, self._token(job))
            raise
        return None

    async def _check_parity(self, job: LeasedJob, learnt: Learnt) -> None:
        """Ask the served model, while nobody else sees it, and have the method look at what it says; once."""
        method = self.methods[job.row["method"]]
        if "parity" in job.row["result"] or not is_checked(method, job.row["settings"]):
            return
        split, token = await read_split(job, method), self._token(job)
        work = self._work(job, split, ())
        asked = set(job.row["result"].get(ASKED) or ())
        questions = [one for one in split.held_out if one.id in asked]
        if not questions:
            return
        discard = partial(self._discard, token=token)
        candidate = await _to_its_end(self._declare(job, learnt, "candidate"), discard)
        try:
            parity = await self._compare(job, learnt, work, candidate, questions)
        finally:
            await discard(candidate)
        job.emit("message", {"message": f"Of the served model: {parity['parity']}."})
        await job.write(values={"result": {**job.row["result"], **parity}}, progress=True)

    async def _compare(
        self, job: LeasedJob, learnt: Learnt, work: Work, candidate: str, questions: Sequence[QuestionRecord]
    ) -> Mapping[str, Any]:
        method = self.methods[job.row["method"]]
        if isinstance(method, ServedCheck):
            artifact = b"".join([piece async for piece in learnt.pieces()])
            looking = method.served_agreement(work, candidate, questions, artifact)
            return await asyncio.to_thread(parity_of, await _unless_stopping(job, looking), CHANCES)
        assert isinstance(method, ParityCheck)
        spent = work.known_tokens

        async def ask(model: str, question: QuestionRecord) -> Said:
            nonlocal spent
            said = await self.publisher.ask(self._token(job), model, question)
            spent += said.tokens
            await work.report.read(spent)
            return said

        base, tuned = await _unless_stopping(job, ask_both(ask, (job.row["model"], candidate), questions))
        await self.folders.write(job.id, "adapter.gguf", learnt.pieces())
        return await asyncio.to_thread(parity_of, await _unless_stopping(job, method.agreement(work, base, tuned)))

    async def _declare(self, job: LeasedJob, learnt: Learnt, stage: Stage) -> str:
        """Have it served. Where the job's row is gone by then, its tenant was purged while this was under way: what
        came after the purge is withdrawn, with the token of before it, as the key is no more. Raises `LeaseLost`."""
        held = await self._token(job)()

        async def token() -> str:
            return held

        try:
            name = await self.publisher.publish(learnt, self._token(job), stage)
        except BaseException:
            await self._unpublish_if_gone(job, token)
            raise
        if await self._unpublish_if_gone(job, token):
            raise LeaseLost
        return name

    async def _unpublish_if_gone(self, job: LeasedJob, token: Token) -> bool:
        is_gone = not await job.store.database.read(lambda one: repository.exists(one, job.id))
        if is_gone:
            await self._unpublish(job, token)
        return is_gone

    async def _discard(self, candidate: str, token: Token) -> None:
        try:
            await self.publisher.discard(candidate, token)
        except ServiceError as error:
            log.warning("a candidate could not be removed", model=candidate, error=error.code)

    async def _succeed(
        self, job: LeasedJob, name: str | None, why: NotPublished | None, *, unless_cancelled: bool = True
    ) -> None:
        """The end of a job that has learnt: served by a name, or kept."""
        result = {
            **job.row["result"],
            "served_as": name,
            "not_published": None if why is None else why.model_dump(),
        }
        values = {"status": "succeeded", "result": result}
        words = f"It is served as '{name}'." if why is None else f"It is kept, and not served: {why.message}"
        said = Event("message", {"message": words})
        async with self._ending(job, values, said, unless_cancelled=unless_cancelled) as connection:
            if name is not None:
                await connection.run(repository.replace_published, job.tenant, name, job.id)
        TUNING_ENDED.labels("succeeded").inc()
        await self.charges.send(job.id)
        await self.folders.remove(job.id)

    @asynccontextmanager
    async def _ending(
        self, job: LeasedJob, values: Mapping[str, Any], said: Event, *, unless_cancelled: bool = False
    ) -> AsyncIterator[Transaction]:
        """The last transaction, with what the job owes."""
        grant, now = job.row["grant_token"], job.clock.now()
        ended = {**values, "grant_token": None, "finished_at": now}
        async with job.releasing(ended, said, unless_cancelled=unless_cancelled) as connection:
            yield connection
            await connection.run(add_charge, job.id, grant, now)

    async def _unpublish(self, job: LeasedJob, token: Token | None = None) -> None:
        """Serve it no more; where that can't be said, a later job of its name, or its tenant's deletion, does."""
        try:
            await self.publisher.unpublish(job.id, token or self._token(job))
        except ServiceError as error:
            log.warning("a tuned model could not be withdrawn", job=job.id, error=error.code)


async def _to_its_end(doing: Coroutine[Any, Any, str], undo: Callable[[str], Awaitable[None]] | None = None) -> str:
    """What comes of it, also where this is cancelled, which goes on only then, and where there is `undo` with it: what
    is declared can be withdrawn, what is on its way to be declared can't."""
    task = asyncio.create_task(doing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if undo is not None and not task.cancelled() and task.exception() is None:
            await undo(task.result())
        raise


def _has_learnt(job: LeasedJob) -> bool:
    return "artifact" in (job.row["result"] or {})


async def _unless_stopping(job: LeasedJob, doing: Awaitable[Result]) -> Result:
    """What comes of it; raises `Stopping` as soon as the worker is to end, and ends it then: it goes on from its last
    checkpoint."""
    task, leaving = asyncio.ensure_future(doing), asyncio.ensure_future(job.stopping.wait())
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            job.checkpoint()
        return await task
    finally:
        leaving.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


@dataclass(frozen=True, slots=True)
class _JobReport:
    """Writes what a method tells into the job's row and its events."""

    job: LeasedJob

    async def say(self, message: str) -> None:
        self.job.emit("message", {"message": message})
        await self.job.flush()

    async def based_on(self, model: str, digest: str | None) -> None:
        result = {LEARNT_ON: model, **(self.job.row["result"] or {})}
        if digest is not None and result.setdefault("base", digest) != digest:
            raise BaseReplaced(self.job.row["model"])
        await self.job.write(values={"result": result})

    async def step(self, done: int, steps: int, tokens: int, figures: Figures) -> None:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.job.emit("metrics", {"message": f"Step {done}/{steps}: {shown}", "step": done, **figures}, done)
        before = self.job.row["done"]
        values = {"done": max(done, before), "steps": steps, "trained_tokens": self._most(tokens)}
        # Steps that are made again after an interruption are no progress, or a trainer that dies would begin for ever.
        await self.job.write(values=values, progress=done > before)
        if "train_loss" in figures:
            TUNING_LOSS.labels(self.job.row["method"]).set(figures["train_loss"])

    async def read(self, tokens: int) -> None:
        await self.job.write(values={"trained_tokens": self._most(tokens)})

    def _most(self, tokens: int) -> int:
        """What is learnt again after an interruption was counted before it: it is paid once."""
        return max(tokens, int(self.job.row["trained_tokens"]))

    async def checkpoint(self, step: int, figures: Figures) -> None:
        now = self.job.clock.now()
        await self.job.write(lambda one: repository.add_checkpoint(one, self.job.id, step, figures, now))


def _figures_of(one: Difference) -> dict[str, float]:
    return {
        f"{one.measure}_after": one.first,
        f"{one.measure}_before": one.second,
        f"{one.measure}_difference": one.difference,
        f"{one.measure}_low": one.low,
        f"{one.measure}_high": one.high,
        "p": one.p,
        "held_out": float(one.questions),
    }
