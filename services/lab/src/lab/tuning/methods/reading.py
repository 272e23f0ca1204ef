"""`reading`: a reading model learns which passages of a collection answer its questions; its own weights stay.

What it sees in the passages that a search finds comes from inference, in bulk and uncharged; the learning is a process
of its own, `python -m lab.training`. numpy is imported when something is learnt: an idle lab does without it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import ModelInfo
from lab.evaluations.documents import Documents
from lab.tuning.data import LEAST_HELD_OUT, LEAST_TRAIN
from lab.tuning.errors import NotAReadingModel, TooFewExamples
from lab.tuning.method import Trained, Work
from lab.tuning.methods.process import Limits, disk_watched, learn, note_base, settings_of
from lab.tuning.sources.examples import collection_of
from lab.tuning.sources.passages import PassageSearch, Searched, teaches_reading
from lab.tuning.sources.readings import Readings
from lab.tuning.sources.vector_file import append
from servicekit.peers.client import Peer

AUTO_L2 = 300.0
"""What told best, on questions of a public set, what answers from what does not: docs/measured.md."""
STEPS = 60
"""Of the learning, behind those of searching and reading."""
ROWS, READ = "rows.f32", "rows.json"


@dataclass(frozen=True, slots=True)
class Reading:
    """As `Method` says."""

    inference: Peer
    documents: Documents
    limits: Limits
    name: str = "reading"
    needs: Sequence[str] = ()
    learns_answers: bool = False
    """They only tell which passages answer."""

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
        with disk_watched():
            await readings.check(work, model)
            train, held_out = await PassageSearch(self.documents, collection).search(work)
            _check(train, held_out)
            await work.report.say(_words(work, train, held_out, collection))
            tokens, width = await self._read(work, model, [*train, *held_out])
            job = _job(work, self.limits, width, train, held_out)
            result = await learn(work, self.limits, job, len(train) + len(held_out) + len(job["answers"]), tokens)
        await note_base(work, await readings.model(work))  # it may be another one after minutes
        return _trained(model, result, tokens)

    async def _read(self, work: Work, model: ModelInfo, searched: Sequence[Searched]) -> tuple[int, int]:
        """Have all rows in the job's folder, from where an earlier attempt was; the tokens that were read, and the
        numbers of a row."""
        done, width = await asyncio.to_thread(_begin, work.folder, model.digest, searched)
        passages = sum(len(one.texts) for one in searched[:done])
        total = len(searched) + sum(len(one.texts) for one in searched) + STEPS
        tokens = 0
        async for rows in Readings(self.inference).read(work, model, searched[done:]):
            if width not in (0, rows.width):
                raise NotAReadingModel(model.id, "it is another one now")
            await asyncio.to_thread(append, work.folder / ROWS, rows.content)
            passages += len(searched[done].texts)
            tokens, width, done = tokens + rows.tokens, rows.width, done + 1
            await asyncio.to_thread(_note, work.folder, model.digest, done, width)
            await work.report.step(len(searched) + passages, total, tokens, {})
        return tokens, width


def _begin(folder: Path, digest: str | None, searched: Sequence[Searched]) -> tuple[int, int]:
    """How many questions' rows are there, whole, of this model, and how wide they are; what is beyond is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    note, file = folder / READ, folder / ROWS
    known = json.loads(note.read_text(encoding="utf-8")) if note.is_file() and file.is_file() else {}
    if known.get("digest") != digest or not known:
        file.write_bytes(b"")
        return 0, 0
    done, width = known["done"], known["width"]
    with file.open("r+b") as written:
        written.truncate(4 * width * sum(len(one.texts) for one in searched[:done]))
    return done, width


def _note(folder: Path, digest: str | None, done: int, width: int) -> None:
    part = folder / f"{READ}.part"
    part.write_text(json.dumps({"digest": digest, "done": done, "width": width}), encoding="utf-8")
    part.replace(folder / READ)


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


def _job(
    work: Work, limits: Limits, width: int, train: Sequence[Searched], held_out: Sequence[Searched]
) -> dict[str, Any]:
    every = [*train, *held_out]
    return {
        "method": "reading",
        "vectors": ROWS,
        "width": width,
        "threads": limits.threads,
        "steps": STEPS,
        "l2": work.settings["l2"],
        "questions": [number for number, one in enumerate(every) for _ in one.texts],
        "answers": [answers for one in every for answers in one.answers],
        "train": list(range(len(train))),
        "held_out": list(range(len(train), len(every))),
        "held_out_ids": [one.id for one in held_out],
    }


def _trained(model: ModelInfo, result: Mapping[str, Any], tokens: int) -> Trained:
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
        measure="auc",
        kind="reading",
        tokens=tokens,
        figures=result["figures"],
    )
