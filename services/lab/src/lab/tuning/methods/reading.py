"""`reading`: a reading model learns which passages of a collection answer its questions; its own weights stay.

What it sees in the passages that a search finds comes from inference, in bulk and uncharged; the learning is a process
of its own, `python -m lab.training`. numpy is imported when something is learnt: an idle lab does without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import ModelInfo, ModelKind
from lab.evaluations.documents import Documents
from lab.tuning.data import LEAST_HELD_OUT, LEAST_TRAIN
from lab.tuning.errors import TooFewExamples
from lab.tuning.gates.parity import Agreement
from lab.tuning.method import Trained, Work
from lab.tuning.methods.process import Limits, disk_watched, learn, note_base, settings_of
from lab.tuning.sources.examples import collection_of
from lab.tuning.sources.passages import (
    Lookup,
    PassageSearch,
    Searched,
    answers_it,
    beside_each_other,
    teaches_reading,
    text_of,
)
from lab.tuning.sources.readings import ROWS, Readings
from servicekit.peers.client import Peer

AUTO_L2 = 300.0
"""What told best, on questions of a public set, what answers from what does not: docs/measured.md."""
STEPS = 60
"""Of the learning, behind those of searching and reading."""
TOLERANCE = 0.01
"""By how much a served chance may be another than the trainer's."""
READS = Lookup(
    found=8,
    most_learnt=1000,
    text=text_of,
    answers=lambda question, hits: [answers_it(question, hit) for hit in hits],
)
"""As many passages as an answer looks at, as it has them read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """As `Method` says."""

    inference: Peer
    documents: Documents
    limits: Limits
    name: str = "reading"
    kind: ModelKind = "reading"
    needs: Sequence[str] = ()
    learns_answers: bool = False
    """They only tell which passages answer."""
    measure: str = "auc"
    lookup: Lookup = READS

    def settings(self, wanted: FineTuningCreate) -> dict[str, Any]:
        """As `Method` says; raises `HyperparametersUnfit`."""
        return settings_of(wanted, wanted.method.reading, AUTO_L2)

    def teaches(self, question: QuestionRecord) -> bool:
        """One that says what is right and where it stands, or that nothing answers."""
        return teaches_reading(question)

    async def train(self, work: Work) -> Trained:
        """As `Method` says; raises `NotAReadingModel`, `CollectionUnnamed` or `TooFewExamples`."""
        readings = Readings(self.inference)
        model = await readings.model(work)
        await note_base(work, model)
        collection = work.settings["collection"] or collection_of([*work.train, *work.held_out], self.name)
        general = beside_each_other(work.general, "answers")
        with disk_watched():
            checked = await readings.check(work, model)
            train, held_out = await PassageSearch(self.documents, collection, self.lookup).search(work)
            _check(train, held_out)
            await work.report.say(_words(work, train, held_out, collection))
            every = [*train, *held_out, *general]
            tokens, width = await readings.keep(work, model, every, checked, STEPS)
            job = {**self._job(work, width, every), "train": list(range(len(train)))}
            job["held_out"] = list(range(len(train), len(train) + len(held_out)))
            job["general"] = list(range(len(train) + len(held_out), len(every)))
            result = await learn(work, self.limits, job, len(every) + len(job["answers"]), tokens)
        await note_base(work, await readings.model(work))  # it may be another one after minutes
        return self._trained(model, result, tokens)

    def checks(self, settings: Mapping[str, Any]) -> bool:
        """All of them."""
        return True

    async def served_agreement(
        self, work: Work, candidate: str, questions: Sequence[QuestionRecord], artifact: bytes
    ) -> Agreement:
        """As `ServedCheck` says: whether what is served gives the chances that the correction makes of the features.
        Its base is asked for its own twice, which differ by what is computed beside each other."""
        from lab.training.frozen.correction import correction_of

        readings, correction = Readings(self.inference), correction_of(json.loads(artifact))
        model = await readings.model(work)
        await note_base(work, model)
        base: dict[str, float] = {}
        tuned: dict[str, float] = {}
        spent = work.known_tokens
        for one in beside_each_other(questions, "questions"):
            found, read = await readings.features(work, model, one)
            again, read_again = await readings.chances(work, model.id, "reading", one)
            served, read_served = await readings.chances(work, candidate, self.kind, one)
            spent += read + read_again + read_served
            await work.report.read(spent)
            base[one.id] = _alike(found[:, 0].tolist(), again)
            tuned[one.id] = _alike(correction.chances(found).tolist(), served)
        return Agreement(base, tuned)

    def _job(self, work: Work, width: int, every: Sequence[Searched]) -> dict[str, Any]:
        return {
            "method": self.name,
            "vectors": ROWS,
            "width": width,
            "threads": self.limits.threads,
            "steps": STEPS,
            "l2": work.settings["l2"],
            "ids": [one.id for one in every],
            "questions": [number for number, one in enumerate(every) for _ in one.texts],
            "answers": [answers for one in every for answers in one.answers],
        }

    def _trained(self, model: ModelInfo, result: Mapping[str, Any], tokens: int) -> Trained:
        correction = {
            "reading_model": model.id,
            "reading_digest": model.digest,
            "weights": result["weights"],
            "scale": result["scale"],
            "offset": result["offset"],
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


def _alike(wanted: Sequence[float], found: Sequence[float]) -> float:
    """The share of chances that are the same."""
    right = [abs(one - other) <= TOLERANCE for one, other in zip(wanted, found, strict=True)]
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
