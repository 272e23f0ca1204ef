"""What a question teaches a reading model: which passages that a search finds answer it, and which do not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from contracts.improvement.question_sets import QuestionRecord
from contracts.retrieval.search import Hit, SearchOptions
from lab.evaluations.documents import Documents
from lab.evaluations.target import names_of
from lab.questions.likeness import words_of
from lab.tuning.method import Work
from lab.tuning.sources.examples import asked, made_from

FOUND = 8
"""Passages of a question: as many as an answer looks at."""
MOST_LEARNT = 1000
"""Questions that are learnt from, drawn by chance."""
NAME = "passages.json"


@dataclass(frozen=True, slots=True)
class Searched:
    """A question's passages, as a reader is given them, and which of them answer."""

    id: str
    question: str
    texts: list[str]
    answers: list[bool]


@dataclass(frozen=True, slots=True)
class PassageSearch:
    """Searches as the job's key does; each search is charged to it."""

    documents: Documents
    collection: str

    async def search(self, work: Work) -> tuple[list[Searched], list[Searched]]:
        """Of the questions to learn from, and of those held out: what another attempt found already, or now."""
        file = work.folder / NAME
        if file.is_file():
            kept = json.loads(file.read_text(encoding="utf-8"))
            train, held_out = ([Searched(**one) for one in kept[name]] for name in ("train", "held_out"))
            return train, held_out
        order = sorted(work.train, key=lambda one: hashlib.sha256(f"{work.seed} {one.id}".encode()).digest())
        chosen = order[:MOST_LEARNT]
        total = len(chosen) + len(work.held_out)
        found: list[Searched] = []
        for number, one in enumerate([*chosen, *work.held_out]):
            found.append(await self._search(work, number, one))
            await work.report.step(number + 1, total + FOUND * total, 0, {})
        train = [one for one in found[: len(chosen)] if one.texts]
        held_out = [one for one in found[len(chosen) :] if one.texts]
        _write(file, train, held_out)
        return train, held_out

    async def _search(self, work: Work, number: int, question: QuestionRecord) -> Searched:
        options = SearchOptions(query=asked(question), limit=FOUND)
        hits = await self.documents.search(
            await work.token(), self.collection, options, f"{work.job_id}.search{number}"
        )
        answers = [answers_it(question, hit) for hit in hits]
        if question.answerable is not False and not any(answers):
            return Searched(question.id, asked(question), [], [])  # what was not found can't be told from what was
        return Searched(question.id, asked(question), [text_of(hit) for hit in hits], answers)


def teaches_reading(question: QuestionRecord) -> bool:
    """One that says what is right and where it stands, or that nothing answers."""
    return question.answerable is False or bool(question.answers and question.documents)


def text_of(hit: Hit) -> str:
    """As an answer has it read: under its title and its nearest heading."""
    heading = dict.fromkeys(line for line in (hit.title, *hit.heading_path[-1:]) if line)
    return "\n".join([*heading, hit.text])


def answers_it(question: QuestionRecord, hit: Hit) -> bool:
    """Whether a passage overlaps what a question was made from; of any other, whether it is of one of its documents and
    has one of its answers' words, in their order."""
    if question.answerable is False:
        return False
    span = made_from(question)
    start, end = span.get("start"), span.get("end")
    if isinstance(start, int) and isinstance(end, int):
        return hit.document_id == span.get("document_id") and hit.start < end and start < hit.end
    if not any(question.documents.get(name) for name in names_of(hit.document_id, hit.source, hit.title)):
        return False
    said = f" {' '.join(words_of(hit.text))} "
    return any(f" {' '.join(words_of(answer))} " in said for answer in question.answers)


def _write(file: Path, train: Sequence[Searched], held_out: Sequence[Searched]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(
        json.dumps({"train": [asdict(one) for one in train], "held_out": [asdict(one) for one in held_out]}),
        encoding="utf-8",
    )
    part.replace(file)
