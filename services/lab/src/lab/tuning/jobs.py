"""A tuning job as a durable job: its questions are looked through, a method learns from them, and what it learnt is
kept with what it is worth."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import DatasetCard
from lab.evaluations.comparison import Difference, compare
from lab.metrics import TUNED_TOKENS, TUNING_ENDED, TUNING_LOSS
from lab.questions import repository as question_sets
from lab.questions.likeness import Words
from lab.questions.repository import Viewer
from lab.tuning import repository
from lab.tuning.data import TRAIN, Pair, Split, find_leaks, split_questions, words_of_question
from lab.tuning.errors import BaseReplaced, LossNotFinite, TrainingLeaks
from lab.tuning.folders import JobFolders
from lab.tuning.method import Figures, Method, Trained, Work
from lab.tuning.wire import name_of
from servicekit.jobs.events import Event
from servicekit.jobs.kind import JobKind
from servicekit.jobs.leased_job import JobStore, LeasedJob
from servicekit.jobs.leases import Lease
from servicekit.jobs.outcomes import Cancel, Ending, Fail, RetryPolicy
from servicekit.sql.transaction import Transaction

log = structlog.get_logger(__name__)
LEFT_OUT = "left_out"
"""In a job's result: the ids of the questions that are not learnt, as another set asks them."""
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
    retry = RetryPolicy(max_attempts=3, max_wait=3600, exhausted=EXHAUSTED)
    name = "tuning"

    async def load(self, connection: Transaction, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> LeasedJob:
        """The row is all there is."""
        return LeasedJob(store, lease, row)

    async def run(self, job: LeasedJob) -> None:
        """From the questions to what was learnt from them."""
        method = self.methods[job.row["method"]]
        split = await self._split(job, method)
        job.checkpoint()
        trained = await job.unless_giving_way(_unless_stopping(job, method.train(self._work(job, split))))
        await self._keep(job, trained)

    async def end(self, job: LeasedJob, ending: Ending) -> None:
        """What it had learnt until then is gone."""
        status = "failed" if isinstance(ending, Fail) else "cancelled"
        failure = ending.failure
        said = "The job was cancelled." if failure is None else failure.message
        level = "info" if isinstance(ending, Cancel) else "error"
        reason = None if failure is None else failure.model_dump()
        values = {"status": status, "error": reason, "finished_at": job.clock.now(), "grant_token": None}
        async with job.releasing(values, Event("message", {"message": said, "level": level})):
            log.info("tuning ended", status=status, reason=None if failure is None else failure.code)
        TUNING_ENDED.labels(status).inc()
        await self.folders.remove(job.id)

    def _work(self, job: LeasedJob, split: Split) -> Work:
        async def token() -> str:
            return await self.grants.token(job.row["grant_token"], call_id=job.id)

        row = job.row
        return Work(
            job_id=job.id,
            model=row["model"],
            seed=row["seed"],
            settings=row["settings"],
            train=split.train,
            held_out=split.held_out,
            folder=self.folders.of(job.id),
            known_base=(row["result"] or {}).get("base"),
            token=token,
            report=_JobReport(job),
        )

    async def _split(self, job: LeasedJob, method: Method) -> Split:
        """The data, checked. What is left out of it is decided once, and written down with its card: another attempt
        learns from the same, whatever other sets ask by then."""
        row = job.row
        viewer = Viewer(row["tenant"], row["grant_key_id"], row["limited"])

        def read(connection: Connection) -> Any:
            first = question_sets.get_version(connection, viewer, row["training_set"], row["training_version"])
            questions = question_sets.all_questions(connection, viewer, first.name, first.version, None)
            validation = None
            if row["validation_set"] is not None:
                named = (row["validation_set"], row["validation_version"])
                validation = question_sets.all_questions(connection, viewer, *named, None)
            return first, questions, validation

        version, questions, validation = await job.store.database.read(read)
        card = DatasetCard(
            training_set=name_of(version.name, version.version) or "",
            validation_set=name_of(row["validation_set"], row["validation_version"]),
            digest=version.digest,
            questions=0,
            train=0,
            held_out=0,
            split_by="",
        )
        split = await asyncio.to_thread(split_questions, questions, validation, method.teaches, row["seed"], card)
        if row["card"] is not None:
            left_out = (row["result"] or {}).get(LEFT_OUT)
            return split.without(left_out) if left_out else split
        leaked = await self._find_leaked(job, viewer, split)
        split = split.without(leaked) if leaked else split
        shown = split.card
        job.emit("message", {"message": _words_of(shown), **shown.model_dump()})
        result = {**(row["result"] or {}), LEFT_OUT: sorted(leaked)}
        await job.write(values={"card": shown.model_dump(), "result": result}, progress=True)
        return split

    async def _find_leaked(self, job: LeasedJob, viewer: Viewer, split: Split) -> Collection[str]:
        """By comparison with every other set that the key sees, one at a time; raises `TrainingLeaks`."""
        database, row = job.store.database, job.row
        words = await asyncio.to_thread(lambda: [words_of_question(one) for one in split.train])
        leaked: dict[str, str] = {}
        pairs = await asyncio.to_thread(find_leaks, split.train, words, split.held_out)
        leaked |= {one.id: f"the held-out question '{other.id}'" for one, other in pairs}
        names = await database.read(lambda one: question_sets.newest_versions(one, viewer))
        for name, version in names:
            job.checkpoint()
            if name != row["training_set"]:
                pairs = await self._asked_by(job, viewer, (name, version), split, words)
                leaked |= {one.id: f"'{other.id}' of the question set '{name}'" for one, other in pairs}
        if leaked and row["options"]["leaks"] == "refuse":
            raise TrainingLeaks(sorted(leaked.items()))
        return leaked.keys()

    async def _asked_by(
        self, job: LeasedJob, viewer: Viewer, which: tuple[str, int], split: Split, words: Sequence[Words]
    ) -> list[Pair]:
        """Questions to learn from that another set's version asks outside its split `train`."""

        def read(connection: Connection) -> list[QuestionRecord]:
            return question_sets.all_questions(connection, viewer, *which, None)

        judged = [one for one in await job.store.database.read(read) if one.split != TRAIN]
        return await asyncio.to_thread(find_leaks, split.train, words, judged)

    async def _keep(self, job: LeasedJob, trained: Trained) -> None:
        """The artifact and the verdict, with the end of the job; raises `LossNotFinite`."""
        for figures in (trained.before, trained.after, trained.figures):
            for name, value in figures.items():
                if not math.isfinite(value):
                    raise LossNotFinite(f"{name}: {value}")
        await self.grants.token(job.row["grant_token"], fresh=True, call_id=job.id)  # its key may be revoked since
        difference = await asyncio.to_thread(compare, trained.measure, trained.after, trained.before)
        digest = f"sha256:{await asyncio.to_thread(lambda: hashlib.sha256(trained.artifact).hexdigest())}"
        figures = {**trained.figures, **({} if difference is None else _figures_of(difference))}
        result = {
            **(job.row["result"] or {}),
            "verdict": None if difference is None else difference.verdict,
            "words": None if difference is None else difference.words,
            "figures": figures,
            "artifact": digest,
            "artifact_bytes": len(trained.artifact),
            "kind": trained.kind,
        }
        values = {"status": "succeeded", "result": result, "trained_tokens": trained.tokens, "grant_token": None}
        said = Event("message", {"message": f"Of the tuned model against the one before: {result['words']}"})
        async with job.releasing({**values, "finished_at": job.clock.now()}, said, unless_cancelled=True) as connection:
            await connection.run(repository.put_artifact, job.id, job.tenant, digest, trained.artifact)
        TUNING_ENDED.labels("succeeded").inc()
        TUNED_TOKENS.inc(trained.tokens)
        await self.folders.remove(job.id)


async def _unless_stopping(job: LeasedJob, doing: Any) -> Trained:
    """What comes of it; raises `Stopping` as soon as the worker is to end, and ends it then: it goes on from its last
    checkpoint."""
    task, leaving = asyncio.ensure_future(doing), asyncio.ensure_future(job.stopping.wait())
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            job.checkpoint()
        trained: Trained = await task
        return trained
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

    async def based_on(self, digest: str) -> None:
        result = dict(self.job.row["result"] or {})
        if result.setdefault("base", digest) != digest:
            raise BaseReplaced(self.job.row["model"])
        await self.job.write(values={"result": result})

    async def step(self, done: int, steps: int, tokens: int, figures: Figures) -> None:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.job.emit("metrics", {"message": f"Step {done}/{steps}: {shown}", "step": done, **figures}, done)
        before = self.job.row["done"]
        values = {"done": max(done, before), "steps": steps, "trained_tokens": tokens}
        # Steps that are made again after an interruption are no progress, or a trainer that dies would begin for ever.
        await self.job.write(values=values, progress=done > before)
        if "train_loss" in figures:
            TUNING_LOSS.labels(self.job.row["method"]).set(figures["train_loss"])

    async def checkpoint(self, step: int, figures: Figures) -> None:
        now = self.job.clock.now()
        await self.job.write(lambda one: repository.add_checkpoint(one, self.job.id, step, figures, now))


def _words_of(card: DatasetCard) -> str:
    left_out = {"without an answer": card.unanswered, "of other splits": card.other_splits, "leaked": card.leaked}
    reasons = ", ".join(f"{count} {why}" for why, count in left_out.items() if count)
    return (
        f"{card.training_set}: {card.train} questions to learn from, {card.held_out} held out ({card.split_by})"
        f"{f'; left out: {reasons}' if reasons else ''}."
    )


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
