"""`dpo`: a chat model learns which of two answers people prefer, by the same small matrices and in the same process as
`supervised`; the loss is that of `lab.training.preferences`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from lab.tuning.errors import HyperparametersUnfit
from lab.tuning.methods.supervised import Supervised, messages_of

AUTO = {"n_epochs": 1, "batch_size": 8, "learning_rate_multiplier": 1.0, "beta": 0.1}


@dataclass(frozen=True, slots=True)
class Dpo(Supervised):
    """As `Method` says."""

    name: str = "dpo"
    measure: str = "preference_accuracy"

    def settings(self, wanted: FineTuningCreate) -> dict[str, Any]:
        """As `Method` says; raises `HyperparametersUnfit`."""
        if wanted.hyperparameters is not None:
            raise HyperparametersUnfit
        said = wanted.method.dpo.hyperparameters.model_dump()
        return {name: AUTO[name] if value == "auto" else value for name, value in said.items()}

    def teaches(self, question: QuestionRecord) -> bool:
        """One with a pair of answers, of which one is preferred."""
        return bool(self.lessons(question))

    def lessons(self, question: QuestionRecord) -> Sequence[dict[str, Any]]:
        """Its pairs; those whose difference was masked teach nothing."""
        messages = messages_of(question)
        return [
            {
                "id": question.id,
                "number": number,
                "messages": messages,
                "answer": pair.preferred,
                "rejected": pair.rejected,
            }
            for number, pair in enumerate(question.preferences)
            if pair.preferred != pair.rejected
        ]
