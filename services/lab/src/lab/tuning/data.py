"""What a job learns from: the questions of a version that teach something, without those that it is judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import DatasetCard
from lab.questions.likeness import Words, conversation_words, find_alike
from lab.tuning.errors import NothingToLearn, TooFewExamples

LEAST_TRAIN, LEAST_HELD_OUT = 10, 6
"""With fewer held out no difference could be told from luck: all six signs alike come up by chance once in 32."""
HELD_OUT, MOST_HELD_OUT = 0.1, 500
"""More would tell little more, and are read again after every epoch."""
MOST_GENERAL = 200
"""Questions of a general set that are asked."""
TRAIN, TEST = "train", "test"
Pair = tuple[QuestionRecord, QuestionRecord]


@dataclass(frozen=True, slots=True)
class Split:
    """The questions to learn from, those to be judged by, and what was left out."""

    train: Sequence[QuestionRecord]
    held_out: Sequence[QuestionRecord]
    card: DatasetCard

    def without(self, leaked: Iterable[str]) -> Split:
        """The same without some of the questions to learn from; raises `TooFewExamples`."""
        gone = set(leaked)
        train = [one for one in self.train if one.id not in gone]
        card = self.card.model_copy(update={"train": len(train), "leaked": len(self.train) - len(train)})
        return replace(self, train=train, card=card).checked()

    def checked(self) -> Split:
        """This, where there is enough; raises `TooFewExamples`."""
        if len(self.train) < LEAST_TRAIN or len(self.held_out) < LEAST_HELD_OUT:
            raise TooFewExamples(len(self.train), len(self.held_out), LEAST_TRAIN, LEAST_HELD_OUT)
        return self


def split_questions(
    questions: Sequence[QuestionRecord],
    validation: Sequence[QuestionRecord] | None,
    teaches: Callable[[QuestionRecord], bool],
    seed: int,
    card: DatasetCard,
) -> Split:
    """By question: what is held out is the validation set, else the split `test`, else a tenth by chance; of many
    `MOST_HELD_OUT`. The same seed holds the same ones out. Raises `NothingToLearn` or `TooFewExamples`."""
    useful = [one for one in questions if teaches(one)]
    if not useful:
        raise NothingToLearn(card.training_set)
    train = [one for one in useful if one.split in (None, TRAIN)]
    if validation is not None:
        held_out, how = [one for one in validation if teaches(one)], "the validation set"
    else:
        held_out, how = [one for one in useful if one.split == TEST], "the split test"
        if not held_out:
            count = min(MOST_HELD_OUT, max(LEAST_HELD_OUT, round(HELD_OUT * len(train))))
            train, held_out = _drawn(train, seed, count)
            how = f"a tenth by chance, seed {seed}"
    other_splits = len(useful) - len(train) - (0 if validation is not None else len(held_out))
    if len(held_out) > MOST_HELD_OUT:
        how = f"{MOST_HELD_OUT} of {how}'s {len(held_out)} by chance, seed {seed}"
        held_out = _drawn(held_out, seed, MOST_HELD_OUT)[1]
    counts = {
        "questions": len(questions),
        "train": len(train),
        "held_out": len(held_out),
        "unanswered": len(questions) - len(useful),
        "other_splits": other_splits,
        "split_by": how,
    }
    return Split(train, held_out, card.model_copy(update=counts)).checked()


def draw_general(questions: Sequence[QuestionRecord], seed: int) -> Sequence[QuestionRecord]:
    """Those with answers, of many `MOST_GENERAL`."""
    return _drawn([one for one in questions if one.answers], seed, MOST_GENERAL)[1]


def _drawn(
    questions: Sequence[QuestionRecord], seed: int, count: int
) -> tuple[list[QuestionRecord], list[QuestionRecord]]:
    """All but `count`, and those, by an order of hashes of the ids: a question that is added moves few others."""
    order = sorted(questions, key=lambda one: hashlib.sha256(f"{seed} {one.id}".encode()).digest())
    held_out = {one.id for one in order[:count]}
    return (
        [one for one in questions if one.id not in held_out],
        [one for one in questions if one.id in held_out],
    )


def words_of_question(question: QuestionRecord) -> Words:
    """What it is compared by."""
    said = [turn.content for turn in question.turns or () if turn.role == "user"] or [question.question or ""]
    return conversation_words(said)


def find_leaks(train: Sequence[QuestionRecord], words: Sequence[Words], others: Sequence[QuestionRecord]) -> list[Pair]:
    """Questions to learn from that one of the others asks, too. `words` are those of `train`."""
    alike = find_alike([*words, *(words_of_question(one) for one in others)])
    count = len(train)
    return [(train[one], others[other - count]) for one, other, _ in alike if one < count <= other]
