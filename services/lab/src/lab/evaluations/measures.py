"""What an answer was worth, without a judge: by what is known of its question. No measure is NaN; one that a question
does not define is left out, and says so by its count.

| measure | of which questions | 1 means |
| --- | --- | --- |
| succeeded | all | there is an answer; each other measure is of those that have one |
| answer_found | with answers | one of them stands in what was said, word for word |
| answer_f1 | with answers | the same words as one of them (SQuAD's F1) |
| answer_rouge_l | with answers | the same words in the same order (ROUGE-L's F) |
| numbers_exact | whose answers have numbers | all numbers of one of them stand in what was said, by value |
| citations_supported | whose answer cites | each citation supports its sentence, as the answer says itself |
| citations_expected | with documents, whose answer cites | each citation is of a relevant document |
| documents_cited | with documents, asked for an answer | each relevant document is cited |
| retrieval_ndcg_10, retrieval_recall_10 | with documents, answers with sources | relevant ones come first |
| answered | that are answerable | it was answered |
| abstained | that are not | it was not |
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contracts.improvement.text_measures import measure_text

Figures = dict[str, float]
DEPTH = 10


@dataclass(frozen=True, slots=True)
class Said:
    """What a target answered."""

    text: str | None
    """Null of what answers nothing: a search."""
    abstained: bool | None = None
    """Null where the target does not tell."""
    cited: Sequence[str] = ()
    """The document of each citation."""
    supported: Sequence[bool] = ()
    """Whether each citation supports its sentence."""
    sources: Sequence[str] | None = None
    """Documents in the order in which they were found; null where the target has none."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a question."""

    answers: Sequence[str] = ()
    documents: Mapping[str, int] = field(default_factory=dict)
    answerable: bool | None = None


def measure(known: Known, said: Said) -> Figures:
    """The figures that the question defines, each from 0 to 1."""
    found: Figures = {}
    if known.answers and said.text is not None:
        found |= measure_text(known.answers, said.text)
    if said.cited:
        found["citations_supported"] = _share(said.supported)
    if known.documents:
        found |= _of_documents(known.documents, said)
    if said.abstained is not None:
        found |= _of_abstention(known, abstained=said.abstained)
    return found


def ndcg(grades: Mapping[str, int], ranked: Sequence[str], depth: int = DEPTH) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen, 2002), as trec_eval computes it: the gain is the
    grade, and a document counts once."""
    gains = [grades.get(document, 0) for document in _once(ranked)[:depth]]
    best = sorted(grades.values(), reverse=True)[:depth]
    return _discounted(gains) / _discounted(best) if best else 0.0


def recall(grades: Mapping[str, int], ranked: Sequence[str], depth: int = DEPTH) -> float:
    """The share of the relevant documents among the first ones."""
    return len(set(_once(ranked)[:depth]) & set(grades)) / len(grades)


def _of_documents(grades: Mapping[str, int], said: Said) -> Figures:
    found = {}
    if said.text is not None:
        found["documents_cited"] = recall(grades, said.cited, len(said.cited))
    if said.cited:
        found["citations_expected"] = _share([document in grades for document in said.cited])
    if said.sources is not None:
        found["retrieval_ndcg_10"] = ndcg(grades, said.sources)
        found["retrieval_recall_10"] = recall(grades, said.sources)
    return found


def _of_abstention(known: Known, *, abstained: bool) -> Figures:
    if known.answerable is False:
        return {"abstained": float(abstained)}
    if known.answerable or known.answers or known.documents:
        return {"answered": float(not abstained)}
    return {}


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0


def _once(ranked: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(ranked))


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
