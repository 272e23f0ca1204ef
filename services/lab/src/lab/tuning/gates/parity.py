"""Whether the served model answers as the trainer would: another template, other tokens, precision or order of rows are
how tuned models come to answer otherwise than they were measured.

llama.cpp rounds what it multiplies to eight bits, so that a model which was never tuned does not choose all of the
trainer's tokens, either. So the tuned model is held to what its base comes to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import NotPublished
from lab.evaluations.comparison import Difference, compare
from lab.tuning.method import Figures, Work

MOST_ASKED = 50
"""Questions that both models are asked."""
MOST_TOKENS = 16
"""Of an answer that is looked at."""
LEAST = 0.75
"""Of all tokens: below, the served model is another one than the trainer's, whatever its base comes to."""
MARGIN = 0.05
"""By how much less than its base's the share may be: what rounding tips over differs a little from model to model."""
MEASURE = "agreement"
Words = tuple[str, str]
TOKENS = ("of the served tokens are the trainer's first choice", "of the base's")
CHANCES = ("of the served chances are the trainer's", "of the base's are so twice")
"""What is counted of the tuned model, and of its base."""


@dataclass(frozen=True, slots=True)
class Said:
    """A served model's greedy answer to a question."""

    question: QuestionRecord
    text: str
    is_whole: bool
    """Whether it ended by itself, and not at `MOST_TOKENS`."""
    tokens: int = 0
    """That were read and written for it."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """By question, the share of served tokens that are the trainer's own choice after those before them."""

    base: Figures
    tuned: Figures


@runtime_checkable
class ParityCheck(Protocol):
    """A method whose trainer can say what it would have answered."""

    async def agreement(self, work: Work, base: Sequence[Said], tuned: Sequence[Said]) -> Agreement:
        """Of what both models said; raises as `Method.train`."""


@runtime_checkable
class ServedCheck(Protocol):
    """A method that can tell by itself whether what is served does as it was learnt."""

    def checks(self, settings: Mapping[str, Any]) -> bool:
        """Whether it has to, of a job with these settings."""
        ...

    async def served_agreement(
        self, work: Work, candidate: str, questions: Sequence[QuestionRecord], artifact: bytes
    ) -> Agreement:
        """By question, the share of what a candidate says that is what the trainer makes of it, and that its base says
        twice; it reports what it reads for that. Raises as `Method.train`."""


def is_checked(method: object, settings: Mapping[str, Any]) -> bool:
    """Whether jobs of this method, with these settings, have such a check."""
    return isinstance(method, ParityCheck) or (isinstance(method, ServedCheck) and method.checks(settings))


Ask = Callable[[str, QuestionRecord], Awaitable[Said]]
"""Asks a served model."""


def draw_asked(held_out: Sequence[QuestionRecord], measured: Collection[str], seed: int) -> Sequence[QuestionRecord]:
    """`MOST_ASKED` of what was held out, the same ones for a seed, and only of those that the trainer could measure: it
    reads none that is longer than `max_tokens`."""
    order = sorted(
        (one for one in held_out if one.id in measured),
        key=lambda one: hashlib.sha256(f"parity {seed} {one.id}".encode()).digest(),
    )
    return order[:MOST_ASKED]


async def ask_both(ask: Ask, models: tuple[str, str], asked: Sequence[QuestionRecord]) -> tuple[list[Said], list[Said]]:
    """What the two models say, one question after another: who waits for an answer has the other slots."""
    base, tuned = models
    return [await ask(base, one) for one in asked], [await ask(tuned, one) for one in asked]


def parity_of(found: Agreement, words: Words = TOKENS) -> Mapping[str, Any]:
    """The figures, the words and the code of a verdict, for the job's result."""
    difference = compare(MEASURE, found.tuned, found.base)
    if difference is None:
        raise ValueError("no question was asked of both")  # a bug of ours: at least six are held out
    below = difference.verdict == "worse" and difference.difference < -MARGIN
    failed = below or difference.first < LEAST
    return {
        "parity": _words(difference, words, failed=failed),
        "parity_failed": failed,
        "parity_tuned": difference.first,
        "parity_base": difference.second,
    }


def _words(one: Difference, words: Words, *, failed: bool) -> str:
    change = f"{one.difference:+.1%} [{one.low:+.1%}, {one.high:+.1%}], p {one.p:.2g}, {one.questions} questions"
    return f"{'failed' if failed else 'passed'}: {one.first:.1%} {words[0]}, {one.second:.1%} {words[1]} ({change})"


def parity_gate(result: Mapping[str, Any], *, is_checked: bool) -> NotPublished | None:
    """Why it is not served, by hand either; None where it passed, or its method has no such check (`is_checked`)."""
    if is_checked and "parity" not in result:
        return NotPublished(
            code="parity_unknown",
            message="Nobody has looked at whether the model answers, as it is served, as the trainer measured it: the "
            "job ended before. It is not served. Start another job.",
        )
    if not result.get("parity_failed"):
        return None
    return NotPublished(
        code="parity_failed",
        message=f"The model as it is served does not answer as the trainer measured it ({result['parity']}), so that "
        "nobody knows what it is worth. It is not served. Report it with the model's name and quantization.",
    )
