from __future__ import annotations

from typing import Any

import pytest

from contracts.models.chat import ChatRequest
from inference.errors import AnswerUnfit, InvalidSchema
from inference.schemas.validation import check_answer, check_request, is_linear_pattern, validator


@pytest.mark.parametrize(
    "schema", [None, {"type": "nothing"}, {"$ref": "https://example.com/schema.json"}, {"pattern": "("}]
)
def test_a_schema_that_is_none_or_lies_elsewhere_is_refused(schema: Any) -> None:
    with pytest.raises(InvalidSchema) as refused:
        validator(schema, "here")
    assert refused.value.param == "here"


def test_a_pattern_that_backtracks_holds_nothing_up() -> None:
    checks = validator({"type": "string", "pattern": r"^(?=a)(a+)+$"}, "here")
    assert not checks.is_valid("a" * 64 + "!")  # trying every way to part 64 letters would take centuries
    assert not is_linear_pattern(r"(?=a)a")
    assert is_linear_pattern("^(a+)+$")


def test_an_answer_is_held_against_its_schema() -> None:
    check_answer({"type": "object"}, "{}")
    with pytest.raises(AnswerUnfit, match="no JSON"):
        check_answer({"type": "object"}, "{")
    with pytest.raises(AnswerUnfit):
        check_answer({"type": "object", "required": ["a"]}, "{}")


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"tools": [{"function": {"name": "f", "parameters": {"type": 1}}}]}, "tools.0.function.parameters"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": 1}}}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_schemas_of_a_request_are_checked_whichever_model_is_asked(extra: dict[str, Any], param: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **extra}
    with pytest.raises(InvalidSchema) as refused:
        check_request(ChatRequest.model_validate(body))
    assert refused.value.param == param
