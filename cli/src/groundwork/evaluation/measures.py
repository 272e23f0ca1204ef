"""nDCG, recall and reciprocal rank of every question, computed by trec_eval's own code (pytrec-eval-terrier).

nDCG is trec_eval's `ndcg_cut`: the gain of a document is its grade, the discount log2(rank + 1) (Järvelin and
Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002). All values are in [0, 1], higher is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytrec_eval

Judgements = Mapping[str, Mapping[str, int]]
"""Grades of relevant documents by question; 0 and below are not relevant."""
Rankings = Mapping[str, Sequence[str]]
"""Documents by question, the best first, none twice."""
Values = dict[str, dict[str, float]]
"""By measure, then by question."""

RECIPROCAL_RANK = "MRR"
"""Its mean over the questions is the MRR: 1 / rank of the first relevant document, 0 if none was found."""


def ndcg(depth: int) -> str:
    """The name of nDCG within the first `depth` documents."""
    return f"nDCG@{depth}"


def recall(depth: int) -> str:
    """The name of the share of the relevant documents that are among the first `depth`."""
    return f"recall@{depth}"


def evaluate(judgements: Judgements, rankings: Rankings, ndcg_at: int, recall_at: Sequence[int]) -> Values:
    """Each measure of each judged question; a question without a ranking scores 0. At least one document of each
    question must be relevant.

    trec_eval orders by score and breaks ties by name, so it is given ranks for scores: the order stays the ranking's.
    """
    names = {f"ndcg_cut_{ndcg_at}": ndcg(ndcg_at), **{f"recall_{depth}": recall(depth) for depth in recall_at}}
    names["recip_rank"] = RECIPROCAL_RANK
    wanted = {f"ndcg_cut.{ndcg_at}", "recip_rank", "recall." + ",".join(str(depth) for depth in recall_at)}
    grades = {question: dict(judged) for question, judged in judgements.items()}
    run = {
        question: {document: float(-rank) for rank, document in enumerate(documents)}
        for question, documents in rankings.items()
        if documents
    }
    found = pytrec_eval.RelevanceEvaluator(grades, wanted).evaluate(run)
    return {
        ours: {question: found.get(question, {}).get(theirs, 0.0) for question in judgements}
        for theirs, ours in names.items()
    }


def mean(values: Mapping[str, float]) -> float:
    """The mean over the questions."""
    return sum(values.values()) / len(values)
