from __future__ import annotations

import inspect

import pytest

from lab.tuning import errors
from servicekit.core.errors import ServiceError

LONG = "x" * 5000
PAIRS = [(f"q{n}", f"'q{n}' of the question set 'judged'") for n in range(40)]
ALL: list[tuple[ServiceError, int, str]] = [
    (errors.TuningJobNotFound(LONG), 404, "fine_tuning_job_not_found"),
    (errors.TuningJobFinished("ftjob_1", "failed"), 409, "fine_tuning_job_finished"),
    (errors.TuningJobUnfinished("ftjob_1"), 409, "fine_tuning_job_unfinished"),
    (errors.TooManyTuningJobs(5), 429, "too_many_fine_tuning_jobs"),
    (errors.TuningJobsKept("100 tuning jobs of this tenant are kept"), 409, "too_many_fine_tuning_jobs_kept"),
    (errors.ArtifactTooLarge(2_000_000_000, 1 << 30), 400, "artifact_too_large"),
    (errors.MatricesTooLarge("rerank", LONG, 32, 18), 400, "artifact_too_large"),
    (errors.MatricesTooLarge("embedding", LONG, 32, 0), 400, "artifact_too_large"),
    (errors.ArtifactMissing("ftjob_1", "failed"), 404, "artifact_missing"),
    (errors.PublicationRefused("too_many_tuned_models", "Remove one of them first."), 409, "too_many_tuned_models"),
    (errors.MethodUnknown(LONG, ["supervised"]), 400, "method_unknown"),
    (errors.TuningUnavailable("torch"), 400, "tuning_unavailable"),
    (errors.ModelNotAllowed(LONG), 403, "model_not_allowed"),
    (errors.FormUnfit("embedding", "l2", "projection"), 400, "hyperparameters_unfit"),
    (errors.HyperparametersTwice(), 400, "hyperparameters_twice"),
    (errors.HyperparametersUnfit(), 400, "hyperparameters_unfit"),
    (errors.NotAnEmbeddingModel(LONG, "chat"), 400, "not_an_embedding_model"),
    (errors.NotAReadingModel(LONG, "it is for chat"), 400, "not_a_reading_model"),
    (errors.CollectionUnnamed(), 400, "collection_unnamed"),
    (errors.CollectionUnfit(LONG, "it has no documents"), 400, "collection_unfit"),
    (errors.VectorsUnfit(LONG, "they are none"), 400, "vectors_unfit"),
    (errors.ClassesUnfit("all 12 examples have the label 'x'"), 400, "classes_unfit"),
    (errors.NothingToLearn("set:support@1"), 400, "nothing_to_learn"),
    (errors.TooFewExamples(3, 1, 10, 6), 400, "too_few_examples"),
    (errors.TrainingLeaks(PAIRS), 400, "training_leaks"),
    (errors.TrainingSensitive([(f"q{n}", "card, email") for n in range(40)]), 400, "training_sensitive"),
    (errors.BaseReplaced("smollm2"), 409, "base_model_replaced"),
    (errors.TooManyTokens(3_100_000, 3_000_000, 20, 48), 400, "too_many_tokens"),
    (errors.TooManyTokens(3_100_000, 3_000_000, 0, 0), 400, "too_many_tokens"),
    (errors.TrainingFailed("loss_not_finite", "Choose a smaller rate."), 400, "loss_not_finite"),
    (errors.LossNotFinite("NaN"), 400, "loss_not_finite"),
    (errors.TrainerDied(-9), 500, "trainer_died"),
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
