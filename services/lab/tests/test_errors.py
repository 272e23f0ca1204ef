from __future__ import annotations

import inspect

import pytest

from contracts.core.errors import ErrorBody
from lab import errors
from servicekit.core.errors import ServiceError

LONG = "x" * 5000
PAIRS = [(f"items[{n}] ('{n}')", "items[0] ('0')") for n in range(1, 40)]
ALL: list[tuple[ServiceError, int, str]] = [
    (errors.QuestionSetNotFound(LONG), 404, "question_set_not_found"),
    (errors.QuestionSetVersionNotFound("policies", 9, 3), 404, "question_set_version_not_found"),
    (errors.QuestionSetNotYours("policies"), 403, "question_set_not_yours"),
    (errors.LastVersion("policies", 1), 409, "last_version"),
    (errors.QuestionFileBroken("q.jsonl", 7, LONG), 400, "question_file_broken"),
    (errors.QuestionsMissing("q.jsonl"), 400, "questions_missing"),
    (errors.QuestionTooLarge(LONG, 300_000, 262_144), 400, "question_too_large"),
    (errors.TooManyQuestions(11, 10, "The tenant"), 400, "too_many_questions"),
    (errors.TooManyQuestionSets(500), 409, "too_many_question_sets"),
    (errors.QuestionIdTaken(LONG, "items[0]", "items[1]"), 400, "question_id_taken"),
    (errors.QuestionsAlike(PAIRS), 400, "questions_alike"),
    (errors.SplitsLeak(PAIRS), 400, "splits_leak"),
    (errors.QuestionSetChanged("policies"), 409, "question_set_changed"),
    (errors.EvaluationNotFound(LONG), 404, "evaluation_not_found"),
    (errors.EvaluationFinished("eval_1", "completed"), 409, "evaluation_finished"),
    (errors.EvaluationUnfinished("eval_1"), 409, "evaluation_unfinished"),
    (errors.EvaluationOfTrial("eval_1", "sweep_1"), 409, "evaluation_of_sweep"),
    (errors.TooManyEvaluations(20), 429, "too_many_evaluations"),
    (errors.NoQuestions("policies", 1, LONG, [f"{LONG[:63]}{n}" for n in range(40)]), 400, "no_questions"),
    (errors.TargetRefuses(ErrorBody(type="invalid_request", code="c", message=LONG)), 400, "target_refuses"),
    (errors.JudgeRefuses(ErrorBody(type="invalid_request", code="c", message=LONG)), 400, "judge_refuses"),
    (errors.OtherEvaluationMissing(), 400, "other_evaluation_missing"),
    (errors.OtherJudge("judge_right"), 400, "other_judge"),
    (errors.GenerationNotFound(LONG, LONG), 404, "generation_not_found"),
    (errors.GenerationFinished("gen_1", "completed"), 409, "generation_finished"),
    (errors.GenerationUnfinished("gen_1"), 409, "generation_unfinished"),
    (errors.TooManyGenerations(100), 409, "too_many_generations"),
    (errors.NothingToAsk("handbook"), 400, "nothing_to_ask"),
    (errors.ModelRefuses(LONG, ErrorBody(type="invalid_request", code="c", message=LONG)), 400, "model_refuses"),
    (errors.GeneratedNotFound(list(range(1, 200))), 404, "generated_question_not_found"),
    (errors.AnswersOfNearMiss(7), 400, "answers_of_near_miss"),
    (errors.NothingAccepted("gen_1"), 409, "nothing_accepted"),
    (errors.GrantMissing(), 400, "grant_missing"),
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


def test_a_version_that_was_deleted_is_told_from_one_that_is_not_there_yet() -> None:
    assert "was deleted" in errors.QuestionSetVersionNotFound("policies", 2, 3).message
    assert "newest is 3" in errors.QuestionSetVersionNotFound("policies", 4, 3).message
