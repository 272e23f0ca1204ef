"""Secrets and personal data in what a job would learn: a model that has learnt them says them to whoever asks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.improvement.question_sets import QuestionRecord
from servicekit.guards.detectors import PersonalData, Secrets
from servicekit.guards.findings import Finding
from servicekit.guards.masks import named
from servicekit.guards.normal_form import disjoint

GUARDS = (Secrets(), PersonalData())


@dataclass(slots=True)
class Masked:
    """Questions with the kind of each finding in its place, as in `[email]`."""

    questions: list[QuestionRecord] = field(default_factory=list)
    found: dict[str, Mapping[str, int]] = field(default_factory=dict)
    """By question that had some, how many of each kind."""

    @property
    def counts(self) -> dict[str, int]:
        """Of each kind in all of them, by name."""
        total: Counter[str] = Counter()
        for kinds in self.found.values():
            total.update(kinds)
        return dict(sorted(total.items()))


def mask_questions(questions: Sequence[QuestionRecord], answers: bool = True) -> Masked:
    """What is asked and, if wanted, its `answers`; labels, ids and metadata are not learnt as words, and stay."""
    masked = Masked()
    for question in questions:
        kinds: Counter[str] = Counter()
        one = _masked(question if answers else question.model_copy(update={"answers": []}), kinds)
        masked.questions.append(one if answers else one.model_copy(update={"answers": question.answers}))
        if kinds:
            masked.found[question.id] = kinds
    return masked


def _masked(question: QuestionRecord, kinds: Counter[str]) -> QuestionRecord:
    def mask(text: str) -> str:
        findings = find(text)
        kinds.update(finding.kind for finding in findings)
        return named(text, findings)

    return question.model_copy(update=_texts(question, mask))


def _texts(question: QuestionRecord, mask: Callable[[str], str]) -> dict[str, object]:
    return {
        "question": None if question.question is None else mask(question.question),
        "turns": question.turns
        and [turn.model_copy(update={"content": mask(turn.content)}) for turn in question.turns],
        "answers": [mask(answer) for answer in question.answers],
        "preferences": [
            pair.model_copy(update={"preferred": mask(pair.preferred), "rejected": mask(pair.rejected)})
            for pair in question.preferences
        ],
    }


def find(text: str) -> list[Finding]:
    """From left to right, none within another."""
    return disjoint(finding for guard in GUARDS for finding in guard.find(text))
