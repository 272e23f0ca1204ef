"""What a question teaches a reading model: which passages that a search finds answer it, and which do not.

It is kept in the job's folder, question by question, so that another attempt searches for the others alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from contracts.improvement.question_sets import QuestionRecord
from contracts.retrieval.search import Hit, SearchOptions
from lab.evaluations.documents import Documents
from lab.evaluations.target import names_of
from lab.questions.likeness import words_of
from lab.tuning.method import Work
from lab.tuning.sources.examples import asked, made_from

NAME = "passages.jsonl"
BESIDE = 5
"""Passages of other questions beside one's own."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A question's passages, as a reading model is given them, and which of them answer."""

    id: str
    question: str
    texts: list[str]
    answers: list[bool]
    scores: list[float] = field(default_factory=list)
    """That the search gave them; none of passages that were not searched for."""
    documents: list[int] = field(default_factory=list)
    """Of each its document, by a number of this question's."""
    grades: list[int] = field(default_factory=list)
    """And how relevant that is."""
    ideal: list[int] = field(default_factory=list)
    """The grades of all documents that the question names."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which passages of a question a method learns from."""

    found: int
    """The best so many of a search."""
    most_learnt: int
    """Questions that are learnt from, drawn by chance."""
    text: Callable[[Hit], str]
    """What the model reads of one."""
    answers: Callable[[QuestionRecord, Sequence[Hit]], list[bool]]
    """Which of them answer."""
    rerank: bool | None = None
    """As a search's `rerank`."""


class Count(Protocol):
    """Hears of each question's passages, whether they are learnt from, and how many of all searches were made; raises
    where they are too many. Blocks."""

    def __call__(self, one: Searched, searched: int, searches: int, *, is_learnt: bool) -> None:
        """Of the one that was searched for last."""


@dataclass(frozen=True, slots=True)
class PassageSearch:
    """Searches as the job's key does; each search is charged to it."""

    documents: Documents
    collection: str
    lookup: Lookup

    async def search(self, work: Work, count: Count | None = None) -> tuple[list[Searched], list[Searched]]:
        """Of the questions to learn from, and of those held out, without those of which no search found what answers;
        from where another attempt was. It goes no further than `count` lets it."""
        order = sorted(work.train, key=lambda one: hashlib.sha256(f"{work.seed} {one.id}".encode()).digest())
        chosen = order[: self.lookup.most_learnt]
        every = [*chosen, *work.held_out]
        total, file = len(every), work.folder / NAME
        found = await asyncio.to_thread(_begin, file, [one.id for one in every])
        before = len(found)
        for number in range(total):
            if number >= before:
                found.append(await self._search(work, number, every[number]))
                await asyncio.to_thread(_append, file, found[-1])
                await work.report.step(number + 1, total + self.lookup.found * total, 0, {})
            if count is not None:
                is_learnt = number < len(chosen)
                await asyncio.to_thread(count, found[number], max(number + 1, before), total, is_learnt=is_learnt)
        train, held_out = found[: len(chosen)], found[len(chosen) :]
        return [one for one in train if one.texts], [one for one in held_out if one.texts]

    async def _search(self, work: Work, number: int, question: QuestionRecord) -> Searched:
        options = SearchOptions(query=asked(question), limit=self.lookup.found, rerank=self.lookup.rerank)
        hits = await self.documents.search(
            await work.token(), self.collection, options, f"{work.job_id}.search{number}"
        )
        answers = self.lookup.answers(question, hits)
        if question.answerable is not False and not any(answers):
            return Searched(question.id, asked(question), [], [])  # what was not found can't be told from what was
        names = [hit.document_id for hit in hits]
        return Searched(
            id=question.id,
            question=asked(question),
            texts=[self.lookup.text(hit) for hit in hits],
            answers=answers,
            scores=[hit.score for hit in hits],
            documents=[names.index(name) for name in names],
            grades=[grade_of(question, hit) for hit in hits],
            ideal=sorted(question.documents.values(), reverse=True),
        )


def kept_passages(folder: Path, ids: Collection[str]) -> dict[str, Searched]:
    """Of held-out questions, what searches have found and is there still. Blocks."""
    file = folder / NAME
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    found = (Searched(**json.loads(line)) for line in lines)
    return {one.id: one for one in found if one.id in ids and one.texts}  # what is held out stands last


def beside_each_other(questions: Sequence[QuestionRecord], what: Literal["answers", "questions"]) -> list[Searched]:
    """Questions with short passages that need no search: of `answers` the own answer, and some of the next questions',
    which do not answer; or the next `questions` alone."""
    if what == "answers":
        questions = [one for one in questions if one.answers]
    texts = [one.answers[0] if what == "answers" else asked(one) for one in questions]
    count = min(BESIDE + 1, len(texts))
    return [
        Searched(
            one.id,
            asked(one),
            [texts[(at + step) % len(texts)] for step in range(count)],
            [what == "answers" and step == 0 for step in range(count)],
        )
        for at, one in enumerate(questions)
    ]


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
    if not grade_of(question, hit):
        return False
    said = f" {' '.join(words_of(hit.text))} "
    return any(f" {' '.join(words_of(answer))} " in said for answer in question.answers)


def grade_of(question: QuestionRecord, hit: Hit) -> int:
    """How relevant the document of a passage is."""
    return max(
        (question.documents.get(name, 0) for name in names_of(hit.document_id, hit.source, hit.title)), default=0
    )


def _begin(file: Path, ids: Sequence[str]) -> list[Searched]:
    """What is there already of questions in this order; what is torn, or of others, is removed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    found: list[Searched] = []
    lines = file.read_bytes().splitlines(keepends=True) if file.is_file() else []
    for line, wanted in zip(lines, ids, strict=False):
        one = Searched(**json.loads(line)) if line.endswith(b"\n") else None
        if one is None or one.id != wanted:
            break
        found.append(one)
    file.write_bytes(b"".join(lines[: len(found)]))
    return found


def _append(file: Path, one: Searched) -> None:
    with file.open("a", encoding="utf-8") as written:
        written.write(f"{json.dumps(asdict(one))}\n")
