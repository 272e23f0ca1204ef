from __future__ import annotations

import inspect

import pytest

from agent.prompts import errors
from servicekit.core.errors import ServiceError

LONG = "x" * 5000
ALL: list[tuple[ServiceError, int, str]] = [
    (errors.PromptNotFound(LONG), 404, "prompt_not_found"),
    (errors.PromptVersionNotFound("greeting", 9, 3), 404, "prompt_version_not_found"),
    (errors.PromptLabelNotFound("greeting", LONG), 404, "prompt_label_not_found"),
    (errors.PromptVersionInUse("greeting", 1, ["production"]), 409, "prompt_version_in_use"),
    (errors.ProductionStays(), 409, "label_not_deletable"),
    (errors.LabelReserved("newest"), 400, "label_reserved"),
    (errors.LabelProtected("production"), 403, "missing_scope"),
    (errors.PromptNotYours("greeting"), 403, "prompt_not_yours"),
    (errors.PromptRefused("It can't be used.", "model"), 400, "invalid_prompt"),
    (errors.VariablesWrong("greeting", [f"'{n:040}' is missing" for n in range(100)]), 400, "invalid_variables"),
    (errors.PromptTooLong("greeting", 10), 400, "prompt_too_long"),
    (errors.PromptShips("groundwork-answer"), 409, "prompt_packaged"),
    (errors.InstructionsMissing("helper", LONG, LONG), 409, "agent_prompt_unusable"),
    (errors.PromptUnreadable("greeting", 3, LONG), 500, "prompt_unreadable"),
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
    body = error.body("req_1")
    assert (error.http_status, body.code, body.request_id) == (status, code, "req_1")
    assert body.message.endswith(".")
    assert len(body.message) < 1000, "what a caller sent is not given back at length"


def test_a_version_that_is_gone_and_one_that_never_was_are_told_apart() -> None:
    assert "was deleted" in errors.PromptVersionNotFound("greeting", 2, 3).message
    assert "not there yet" in errors.PromptVersionNotFound("greeting", 4, 3).message
