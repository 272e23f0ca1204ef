"""What a question teaches an embedding model: which chunks of a collection answer it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.improvement.question_sets import QuestionRecord
from lab.tuning.data import LEAST_HELD_OUT, LEAST_TRAIN
from lab.tuning.errors import CollectionUnfit, CollectionUnnamed, TooFewExamples
from lab.tuning.method import Work
from lab.tuning.sources.collection import Chunks

MOST_LEARNT = 2000
"""Questions that are learnt from, drawn by chance."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question, with what answers it by number: chunks, and documents with their grades."""

    question: QuestionRecord
    chunks: Sequence[int]
    grades: Mapping[int, int]


def asked(question: QuestionRecord) -> str:
    """What is searched for: the question, or the last of a conversation's turns."""
    return question.turns[-1].content if question.turns else question.question or ""


def collection_of(questions: Sequence[QuestionRecord], method: str = "embedding") -> str:
    """The one that they were made from; raises `CollectionUnnamed`."""
    names = {made_from(one).get("collection") for one in questions}
    (name,) = names if len(names) == 1 else (None,)
    if not isinstance(name, str):
        raise CollectionUnnamed(method)
    return name


def made_from(question: QuestionRecord) -> Mapping[str, Any]:
    """What a generated question says of its passage; nothing of any other."""
    found = question.metadata.get("generated")
    return found if isinstance(found, dict) else {}


def examples_of(work: Work, chunks: Chunks, collection: str) -> tuple[list[Example], list[Example]]:
    """The questions whose documents are there, to learn from and held out; raises `CollectionUnfit` or
    `TooFewExamples`."""
    by_document: dict[int, list[int]] = {}
    for number, owner in enumerate(chunks.owners):
        by_document.setdefault(owner, []).append(number)

    def example(question: QuestionRecord) -> Example | None:
        called = {chunks.number_of(name): grade for name, grade in question.documents.items()}
        numbers = {number: grade for number, grade in called.items() if number is not None}
        if not numbers:
            return None
        return Example(question, _answering(question, numbers, by_document, chunks), numbers)

    order = sorted(work.train, key=lambda one: hashlib.sha256(f"{work.seed} {one.id}".encode()).digest())
    train = [found for one in order if (found := example(one)) is not None][:MOST_LEARNT]
    held_out = [found for one in work.held_out if (found := example(one)) is not None]
    if not train and not held_out:
        raise CollectionUnfit(
            collection,
            "none of the documents that the questions name is in it. 'documents' of a question are ids, sources, file "
            f"names or titles of GET /v1/collections/{collection}/documents, each of which only one has",
        )
    if len(train) < LEAST_TRAIN or len(held_out) < LEAST_HELD_OUT:
        raise TooFewExamples(len(train), len(held_out), LEAST_TRAIN, LEAST_HELD_OUT)
    return train, held_out


def _answering(
    question: QuestionRecord, numbers: Mapping[int, int], by_document: Mapping[int, Sequence[int]], chunks: Chunks
) -> list[int]:
    """The chunks that overlap the passage that a question was made from; else all of its documents."""
    span = made_from(question)
    start, end = span.get("start"), span.get("end")
    within = by_document.get(chunks.documents.get(str(span.get("document_id")), -1), ())
    if isinstance(start, int) and isinstance(end, int):
        overlapping = [one for one in within if chunks.spans[one][0] < end and start < chunks.spans[one][1]]
        if overlapping:
            return overlapping
    return [one for number in numbers for one in by_document[number]]
