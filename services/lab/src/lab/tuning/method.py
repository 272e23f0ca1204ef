"""What a way to learn brings: its settings, which questions teach it something, and the learning itself.

A method is one module of `methods/`, made in `runtime.py`. Data, splits, leaks, verdict, events and what is kept of a
job are the same for all, in `jobs.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import ModelKind

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Work:
    """One job's, for a method."""

    job_id: str
    model: str
    seed: int
    settings: Mapping[str, Any]
    """As `Method.settings` gave them."""
    train: Sequence[QuestionRecord]
    held_out: Sequence[QuestionRecord]
    general: Sequence[QuestionRecord]
    """What is not learnt, and must not be forgotten."""
    folder: Path
    """The job's own; what is in it is there again after an interruption on the same host, and gone once it ends."""
    known_base: str | None
    """The digest of what an earlier attempt learnt on."""
    token: Callable[[], Awaitable[str]]
    """A token for inference, with the right of the job's key."""
    report: Report
    known_tokens: int = 0
    """What earlier attempts have read to learn."""


class Report(Protocol):
    """Tells callers how far a job is. Each call is a transaction, and raises where the job is not this worker's any
    more."""

    async def say(self, message: str) -> None:
        """An event in words."""

    async def based_on(self, model: str, digest: str | None) -> None:
        """Which weights it learns on, and by which name they are served: `default` is nobody's."""

    async def step(self, done: int, steps: int, tokens: int, figures: Figures) -> None:
        """So many steps are made, of so many, with so many tokens learnt from altogether."""

    async def read(self, tokens: int) -> None:
        """So many tokens were learnt from altogether, also those of a step that came to nothing."""

    async def checkpoint(self, step: int, figures: Figures) -> None:
        """A state that is worth showing: an epoch's end."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of the learning."""

    artifact: bytes
    """A file that can be served."""
    before: Figures
    """By held-out question, how the model did that it began with."""
    after: Figures
    """And how the tuned one does."""
    measure: str
    """What these are: a name that `lab.evaluations.comparison` knows the direction of."""
    kind: ModelKind = "chat"
    tokens: int = 0
    """That were learnt from, each as often as it was."""
    figures: Figures = field(default_factory=dict)
    """Of the whole, beside the comparison: `train_loss`, `seconds`."""
    general_before: Figures = field(default_factory=dict)
    """As `before`, of the general questions; none where the method asks none."""
    general_after: Figures = field(default_factory=dict)
    general_measure: str = "loss"
    """What those are."""


class Method(Protocol):
    """A way to learn."""

    @property
    def name(self) -> str:
        """What callers write."""
        ...

    @property
    def needs(self) -> Sequence[str]:
        """Modules that must be installed where it learns."""
        ...

    @property
    def learns_answers(self) -> bool:
        """Whether it may learn answers as words, so that they are masked."""
        ...

    def settings(self, wanted: FineTuningCreate) -> dict[str, Any]:
        """All settings, with values in place of `auto`; raises an `InvalidRequest` for those that do not go
        together."""

    def teaches(self, question: QuestionRecord) -> bool:
        """Whether it says what would be right."""

    async def train(self, work: Work) -> Trained:
        """Learn, from where an earlier attempt was. It raises a `ServiceError` that says what to do, and leaves no
        process behind when it is cancelled."""
