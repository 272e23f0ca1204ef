"""The questions of a job, read from their sets and looked through: what it learns from, and what it is judged by."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import DatasetCard
from lab.questions import repository as question_sets
from lab.questions.likeness import Words
from lab.questions.repository import Viewer
from lab.tuning.data import TRAIN, Pair, Split, draw_general, find_leaks, split_questions, words_of_question
from lab.tuning.errors import TrainingLeaks, TrainingSensitive
from lab.tuning.gates.general import packaged_questions
from lab.tuning.gates.sensitive import mask_questions
from lab.tuning.method import Method
from lab.tuning.wire import name_of
from servicekit.jobs.leased_job import LeasedJob

LEFT_OUT = "left_out"
"""In a job's result: the ids of the questions that are not learnt, as another set asks them."""


async def read_split(job: LeasedJob, method: Method) -> Split:
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
        return await asyncio.to_thread(_masked, split.without(left_out) if left_out else split, job, method)
    leaked = await _find_leaked(job, viewer, split)
    # Leaks are looked for in what people wrote: other sets are not masked.
    split = await asyncio.to_thread(_masked, split.without(leaked) if leaked else split, job, method)
    shown = split.card
    job.emit("message", {"message": _words_of(shown), **shown.model_dump()})
    result = {**(row["result"] or {}), LEFT_OUT: sorted(leaked)}
    await job.write(values={"card": shown.model_dump(), "result": result}, progress=True)
    return split


def _sensitive(job: LeasedJob) -> str:
    """What becomes of secrets and personal data; of a job that was made before there was a choice they stay, as what it
    has learnt so far had them."""
    return str(job.row["options"].get("sensitive", "keep"))


def _masked(split: Split, job: LeasedJob, method: Method) -> Split:
    """The same without secrets and personal data; raises `TrainingSensitive`."""
    sensitive = _sensitive(job)
    if sensitive == "keep":
        return split
    answers = method.learns_answers or sensitive == "refuse"
    train, held_out = mask_questions(split.train, answers), mask_questions(split.held_out, answers)
    found = [*train.found.items(), *held_out.found.items()]  # of two sets, which may have the same ids
    if found and sensitive == "refuse":
        raise TrainingSensitive([(name, ", ".join(sorted(kinds))) for name, kinds in sorted(found, key=itemgetter(0))])
    counts = dict(sorted((Counter(train.counts) + Counter(held_out.counts)).items()))
    card = split.card.model_copy(update={"masked": counts})
    return replace(split, train=train.questions, held_out=held_out.questions, card=card)


async def read_general(job: LeasedJob) -> Sequence[QuestionRecord]:
    """What the tuned model must not have forgotten."""
    row = job.row
    named = row["options"].get("general_set")
    if named is None:
        return packaged_questions()
    viewer = Viewer(row["tenant"], row["grant_key_id"], row["limited"])
    version = row["options"]["general_version"]
    questions = await job.store.database.read(
        lambda one: question_sets.all_questions(one, viewer, named, version, None)
    )
    return draw_general(questions, row["seed"])


async def _find_leaked(job: LeasedJob, viewer: Viewer, split: Split) -> Collection[str]:
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
            pairs = await _asked_by(job, viewer, (name, version), split, words)
            leaked |= {one.id: f"'{other.id}' of the question set '{name}'" for one, other in pairs}
    if leaked and row["options"]["leaks"] == "refuse":
        raise TrainingLeaks(sorted(leaked.items()))
    return leaked.keys()


async def _asked_by(
    job: LeasedJob, viewer: Viewer, which: tuple[str, int], split: Split, words: Sequence[Words]
) -> list[Pair]:
    """Questions to learn from that another set's version asks outside its split `train`."""

    def read(connection: Connection) -> list[QuestionRecord]:
        return question_sets.all_questions(connection, viewer, *which, None)

    judged = [one for one in await job.store.database.read(read) if one.split != TRAIN]
    return await asyncio.to_thread(find_leaks, split.train, words, judged)


def _words_of(card: DatasetCard) -> str:
    left_out = {"without an answer": card.unanswered, "of other splits": card.other_splits, "leaked": card.leaked}
    reasons = ", ".join(f"{count} {why}" for why, count in left_out.items() if count)
    masked = ", ".join(f"{count} {kind}" for kind, count in card.masked.items())
    return (
        f"{card.training_set}: {card.train} questions to learn from, {card.held_out} held out ({card.split_by})"
        f"{f'; left out: {reasons}' if reasons else ''}{f'; masked: {masked}' if masked else ''}."
    )
