"""`reading`: a reading model learns which passages of a collection answer its questions; its own weights stay.

What it sees in the passages that a search finds comes from inference, in bulk and uncharged; by `lora` the process that
learns reads them itself, `python -m lab.training`. numpy is imported when something is learnt: an idle lab does without
it.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import ModelInfo, ModelKind
from lab.evaluations.documents import Documents
from lab.tuning.bases import Base, Bases
from lab.tuning.data import LEAST_HELD_OUT, LEAST_TRAIN
from lab.tuning.errors import TooFewExamples
from lab.tuning.gates.parity import Agreement
from lab.tuning.method import Trained, Work
from lab.tuning.methods.lora import by_trainer, check_rank, formed_settings, is_lora, lora_job, steps_of
from lab.tuning.methods.process import Limits, disk_watched, learn, note_base
from lab.tuning.methods.token_bound import TokenBound
from lab.tuning.sources.examples import collection_of
from lab.tuning.sources.passages import (
    Count,
    Lookup,
    PassageSearch,
    Searched,
    answers_it,
    beside_each_other,
    kept_passages,
    teaches_reading,
    text_of,
)
from lab.tuning.sources.readings import ROWS, Readings, name_of
from servicekit.peers.client import Peer

AUTO_L2 = 300.0
"""What told best, on questions of a public set, what answers from what does not: docs/measured.md."""
STEPS = 60
"""Of the learning, behind those of searching and reading."""
TOLERANCE = 0.01
"""By how much a served chance may be another than the trainer's."""
ODDS_TOLERANCE = 1e-4
"""And by `lora` the log of its odds, where both read in float32: they differ by 4e-6 at most, and by some 7e-4 in the
middle where the least of all matrices is missing (docs/decisions/0819)."""
BASE_TOLERANCE = 0.1
"""The same of its base, which may be served in bfloat16."""
AUTO_LORA = {"n_epochs": 2, "batch_size": 8, "learning_rate_multiplier": 1.0}
MOST_BESIDE, MOST_CHECKED = 8, 2
"""Passages of a question that are learnt from by `lora`, and that what is served is compared by: those that answer, and
the first others."""
READS = Lookup(
    found=8,
    most_learnt=1000,
    text=text_of,
    answers=lambda question, hits: [answers_it(question, hit) for hit in hits],
)
"""As many passages as an answer looks at, as it has them read."""


CERTAIN = 1e-6
"""As inference has it: chances nearer to 0 and 1 say no more."""
Parts = tuple[Sequence[Searched], Sequence[Searched], Sequence[Searched]]
"""To learn from, held out, and general."""
Wanted = tuple[Searched, list[float], list[float], int]
"""A question with its passages; of its base and of what was learnt the chances, by `lora` the log of their odds; and
the tokens that were read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """As `Method` says."""

    inference: Peer
    documents: Documents
    limits: Limits
    bases: Bases
    name: str = "reading"
    kind: ModelKind = "reading"
    needs: Sequence[str] = ()
    learns_answers: bool = False
    """They only tell which passages answer."""
    measure: str = "auc"
    lookup: Lookup = READS

    def settings(self, wanted: FineTuningCreate) -> dict[str, Any]:
        """As `Method` says; raises `HyperparametersUnfit` or `FormUnfit`."""
        return formed_settings(wanted, self.name, wanted.method.reading, AUTO_L2, AUTO_LORA)

    def teaches(self, question: QuestionRecord) -> bool:
        """One that says what is right and where it stands, or that nothing answers."""
        return teaches_reading(question)

    async def train(self, work: Work) -> Trained:
        """As `Method` says; raises `NotAReadingModel`, `CollectionUnnamed` or `TooFewExamples`; by `lora`
        `MatricesTooLarge`, `TooManyTokens`, or what inference says of the model."""
        readings = Readings(self.inference)
        model = await readings.model(work)
        await note_base(work, model)
        collection = work.settings["collection"] or collection_of([*work.train, *work.held_out], self.name)
        general = beside_each_other(work.general, "answers")
        with disk_watched():
            checked, count = await self._check_model(work, model, general)
            train, held_out = await PassageSearch(self.documents, collection, self.lookup).search(work, count)
            _check(train, held_out)
            await work.report.say(_words(work, train, held_out, collection))
            learns = self._learn_beside if is_lora(work.settings) else self._learn
            result, tokens = await learns(work, model, (train, held_out, general), checked)
        await note_base(work, await readings.model(work))  # it may be another one after minutes
        return self._trained(model, result, tokens)

    async def _check_model(self, work: Work, model: ModelInfo, general: Sequence[Searched]) -> tuple[int, Count | None]:
        """Before any search is charged; the tokens that this took, and by `lora` what counts those of searches."""
        if not is_lora(work.settings):
            return await Readings(self.inference).check(work, model), None
        base = await check_rank(work, self.bases, model, self.name)
        return 0, await asyncio.to_thread(_begin_count, base, self.limits.most_tokens, work.settings, general)

    async def _learn(self, work: Work, model: ModelInfo, parts: Parts, checked: int) -> tuple[dict[str, Any], int]:
        """What the process has learnt, and the tokens that were read for it."""
        every = [one for part in parts for one in part]
        tokens, width = await Readings(self.inference).keep(work, model, every, checked, STEPS)
        job = {
            **self._common(parts),
            "vectors": ROWS,
            "width": width,
            "threads": self.limits.threads,
            "steps": STEPS,
            "l2": work.settings["l2"],
            "questions": [number for number, one in enumerate(every) for _ in one.texts],
            "answers": [answers for one in every for answers in one.answers],
        }
        return await learn(work, self.limits, job, len(every) + len(job["answers"]), tokens), tokens

    async def _learn_beside(
        self, work: Work, model: ModelInfo, parts: Parts, checked: int
    ) -> tuple[dict[str, Any], int]:
        """The same by `lora`: the process reads itself."""
        train, held_out, general = parts
        every = [*(_nearest(one) for one in train), *held_out, *general]
        job = {
            **await lora_job(work, self.bases, self.limits, model, name_of(model, every)),
            **self._common(parts),
            "steps": steps_of(work.settings, len(train)),
            "l2": AUTO_L2,
            "head_steps": STEPS,
            "read": [{"question": one.question, "texts": one.texts, "answers": one.answers} for one in every],
        }
        searched = min(len(work.train), self.lookup.most_learnt) + len(work.held_out)
        result = await learn(work, self.limits, job, searched, checked)
        return result, checked + result["tokens"]

    def _common(self, parts: Parts) -> dict[str, Any]:
        """Of both forms; `train` and the others are numbers of questions."""
        every, at = [one for part in parts for one in part], 0
        job = {"method": self.name, "ids": [one.id for one in every], **self._judging(every)}
        for which, part in zip(("train", "held_out", "general"), parts, strict=True):
            job[which] = list(range(at, at + len(part)))
            at += len(part)
        return job

    def _judging(self, every: Sequence[Searched]) -> dict[str, Any]:
        """What is judged by beside."""
        return {}

    def checks(self, settings: Mapping[str, Any]) -> bool:
        """All of them."""
        return True

    async def served_agreement(
        self, work: Work, candidate: str, questions: Sequence[QuestionRecord], artifact: bytes
    ) -> Agreement:
        """As `ServedCheck` says: whether what is served gives the chances that the correction makes of the features,
        or by `lora` those of the trainer's encoder, as log odds: most chances are so small that matrices hardly move
        them. Its base is asked for its own, too, which differ by what is computed beside each other, or by the
        precision."""
        readings, beside = Readings(self.inference), is_lora(work.settings)
        asked = beside_each_other(questions, "questions")
        if beside:
            asked = await asyncio.to_thread(_with_found, asked, work)
        model = await readings.model(work)
        await note_base(work, model)
        base: dict[str, float] = {}
        tuned: dict[str, float] = {}
        spent = work.known_tokens
        scale, most, most_of_base = (
            (odds_of, ODDS_TOLERANCE, BASE_TOLERANCE) if beside else (list, TOLERANCE, TOLERANCE)
        )
        wanted = (self._by_trainer if beside else self._by_features)(work, model, asked, artifact)
        async for one, plain, learnt, read in wanted:
            again, read_again = await readings.chances(work, model.id, "reading", one)
            served, read_served = await readings.chances(work, candidate, self.kind, one)
            spent += read + read_again + read_served
            await work.report.read(spent)
            base[one.id] = share_alike(plain, scale(again), most_of_base)
            tuned[one.id] = share_alike(learnt, scale(served), most)
        return Agreement(base, tuned)

    async def _by_features(
        self, work: Work, model: ModelInfo, asked: Sequence[Searched], artifact: bytes
    ) -> AsyncIterator[Wanted]:
        from lab.training.frozen.correction import correction_of

        correction = correction_of(json.loads(artifact))
        for one in asked:
            found, read = await Readings(self.inference).features(work, model, one)
            yield one, found[:, 0].tolist(), correction.chances(found).tolist(), read

    async def _by_trainer(
        self, work: Work, model: ModelInfo, asked: Sequence[Searched], artifact: bytes
    ) -> AsyncIterator[Wanted]:
        texts = [{"question": one.question, "texts": one.texts} for one in asked]
        with disk_watched():
            found = await by_trainer(work, self.bases, self.limits, model, texts, artifact)
        for one, plain, learnt in zip(asked, found["base"], found["tuned"], strict=True):
            yield one, plain, learnt, 0

    def _trained(self, model: ModelInfo, result: Mapping[str, Any], tokens: int) -> Trained:
        correction = {
            "reading_model": model.id,
            "reading_digest": model.digest,
            "weights": result["weights"],
            "scale": result["scale"],
            "offset": result["offset"],
            **({"lora": result["lora"]} if "lora" in result else {}),
        }
        return Trained(
            artifact=json.dumps(correction).encode(),
            before=result["before"],
            after=result["after"],
            measure=self.measure,
            kind=self.kind,
            tokens=tokens,
            figures=result["figures"],
            general_before=result["general_before"],
            general_after=result["general_after"],
            general_measure="auc",
        )


def _begin_count(base: Base, most: int, settings: Mapping[str, Any], general: Sequence[Searched]) -> Count:
    """Counts what the process will read: what is learnt from each epoch and once before, all else before and after."""
    bound, epochs = TokenBound.open(base, most), int(settings["n_epochs"])

    def count(one: Searched, searched: int, searches: int, *, is_learnt: bool) -> None:
        bound.add_passages(*((_nearest(one), epochs + 1) if is_learnt else (one, 2)))
        bound.check(searched, searches)

    for one in general:
        bound.add_passages(one, 2)
    bound.check()
    return count


def _nearest(one: Searched, most: int = MOST_BESIDE) -> Searched:
    """With so many passages at most: those that answer, then the first others."""
    order = sorted(range(len(one.texts)), key=lambda at: (not one.answers[at], at))[:most]
    return replace(one, texts=[one.texts[at] for at in order], answers=[one.answers[at] for at in order])


def _with_found(asked: Sequence[Searched], work: Work) -> list[Searched]:
    """And with some passages that searches have found, where those are still there. Blocks."""
    kept = kept_passages(work.folder, {one.id for one in asked})
    found = ((one, _nearest(kept[one.id], MOST_CHECKED).texts if one.id in kept else []) for one in asked)
    return [replace(one, texts=one.texts + more, answers=one.answers + [False] * len(more)) for one, more in found]


def odds_of(chances: Sequence[float]) -> list[float]:
    """Their logarithms."""
    bounded = (min(max(one, CERTAIN), 1 - CERTAIN) for one in chances)
    return [math.log(one / (1 - one)) for one in bounded]


def share_alike(wanted: Sequence[float], found: Sequence[float], most: float) -> float:
    """The share of numbers that are the same."""
    right = [abs(one - other) <= most for one, other in zip(wanted, found, strict=True)]
    return sum(right) / len(right)


def _check(train: Sequence[Searched], held_out: Sequence[Searched]) -> None:
    learnt, judged = (sum(any(one.answers) for one in some) for some in (train, held_out))
    if learnt < LEAST_TRAIN or judged < LEAST_HELD_OUT:
        raise TooFewExamples(learnt, judged, LEAST_TRAIN, LEAST_HELD_OUT)


def _words(work: Work, train: Sequence[Searched], held_out: Sequence[Searched], collection: str) -> str:
    asked = min(len(work.train), len(train)) + len(held_out)
    lost = len(work.train) + len(work.held_out) - asked
    return (
        f"{len(train)} questions teach which of {sum(len(one.texts) for one in train)} passages of '{collection}' "
        f"answer, {len(held_out)} are held out; of {lost} more no search found what answers, or they are too many."
    )
