from __future__ import annotations

import inspect

import pytest

from contracts.documents.documents import Failure
from lab.sweeps import errors
from servicekit.core.errors import ServiceError

LONG = "x" * 5000
ALL: list[tuple[ServiceError, int, str]] = [
    (errors.TrialNotFound(LONG), 404, "sweep_not_found"),
    (errors.TrialFinished("sweep_1", "completed"), 409, "sweep_finished"),
    (errors.TrialUnfinished("sweep_1"), 409, "sweep_unfinished"),
    (errors.TooManySweeps(5), 429, "too_many_sweeps"),
    (errors.TooManyCombinations(36, 24), 400, "too_many_combinations"),
    (errors.NothingToTry("hybrid"), 400, "nothing_to_try"),
    (errors.TriedModelUnknown(LONG, "rerank", []), 400, "model_not_found"),
    (errors.TooFewQuestions("policies", 1, None, 3, "retrieval_ndcg_10"), 400, "too_few_questions"),
    (errors.TrialBroken("hybrid", {"message": LONG}), 400, "sweep_broken"),
    (errors.TrialWeakened("hybrid, reranked", "its reranker"), 400, "sweep_broken"),
    (errors.CollectionTooLarge("handbook", 60_000, 50_000), 400, "collection_too_large"),
    (errors.OverlapTooLarge("handbook", 100, 80), 400, "overlap_too_large"),
    (errors.IndexNotBuilt("hybrid", Failure(code="c", message=LONG, retryable=False)), 400, "sweep_broken"),
    (errors.NothingToApply("sweep_1", LONG), 409, "nothing_to_apply"),
    (errors.NothingApplied("sweep_1"), 409, "nothing_applied"),
    (errors.CollectionChanged("handbook", "sparse", "hybrid"), 409, "collection_changed"),
    (errors.CollectionReplaced("handbook"), 409, "collection_replaced"),
]


def test_every_error_is_in_the_table() -> None:
    own = {
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, ServiceError) and value.__module__ == errors.__name__
    }
    assert {type(error) for error, *_ in ALL} == own


@pytest.mark.parametrize(("error", "status", "code"), ALL, ids=lambda value: getattr(value, "code", ""))
def test_every_error_has_its_status_and_code_and_sentences_of_some_length(
    error: ServiceError, status: int, code: str
) -> None:
    assert (error.http_status, error.code) == (status, code)
    assert 20 < len(error.message) < 1200
