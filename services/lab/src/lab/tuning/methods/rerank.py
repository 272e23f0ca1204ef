"""`rerank`: a reading model learns to order what a search of a collection finds; it is served as a rerank model.

What is learnt is the same as by `reading`, from more passages of a question; the verdict is that of the order that
searches have with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import ModelKind
from contracts.retrieval.search import Hit
from lab.tuning.methods.lora import formed_settings
from lab.tuning.methods.reading import AUTO_LORA, Reading
from lab.tuning.sources.passages import Lookup, Searched, answers_it, grade_of

AUTO_L2 = 300.0
"""What ordered best, on questions of a public set: docs/measured.md."""


def _answering(question: QuestionRecord, hits: Sequence[Hit]) -> list[bool]:
    """The hits that have what answers; where none has its words, all of the documents that it names."""
    found = [answers_it(question, hit) for hit in hits]
    return found if any(found) else [grade_of(question, hit) > 0 for hit in hits]


RANKS = Lookup(found=20, most_learnt=500, text=lambda hit: hit.titled, answers=_answering, rerank=False)
"""What is reranked, as it is read then."""


@dataclass(frozen=True, slots=True)
class Rerank(Reading):
    """As `Method` says."""

    name: str = "rerank"
    kind: ModelKind = "rerank"
    measure: str = "retrieval_ndcg_10"
    lookup: Lookup = RANKS

    def settings(self, wanted: FineTuningCreate) -> dict[str, Any]:
        """As `Method` says; raises `HyperparametersUnfit` or `FormUnfit`."""
        return formed_settings(wanted, self.name, wanted.method.rerank, AUTO_L2, AUTO_LORA)

    def teaches(self, question: QuestionRecord) -> bool:
        """One that names a document which answers it."""
        return question.answerable is not False and any(question.documents.values())

    def _judging(self, every: Sequence[Searched]) -> dict[str, Any]:
        return {
            "ranked": [
                {"scores": one.scores, "documents": one.documents, "grades": one.grades, "ideal": one.ideal}
                for one in every
            ]
        }
