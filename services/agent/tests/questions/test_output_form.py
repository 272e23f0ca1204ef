from __future__ import annotations

from typing import Any

import pytest

from agent.questions.output_form import read_output_form
from servicekit.core.errors import ServiceError

SCHEMA = {
    "type": "object",
    "properties": {"paidLeave_days": {"type": ["integer", "null"]}, "price": {"type": "string"}},
    "required": ["price"],
}


def shaped(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema, **more}}


def test_text_is_no_form() -> None:
    assert read_output_form(None) is None
    assert read_output_form({"type": "text"}) is None


def test_a_schema_is_read_and_goes_on_as_it_came() -> None:
    asked = shaped(SCHEMA, strict=True)
    form = read_output_form(asked)
    assert form is not None
    assert (form.schema, form.asked) == (SCHEMA, asked)


def test_what_the_form_asks_for_is_searched_for_too() -> None:
    form = read_output_form(shaped(SCHEMA))
    assert form is not None
    assert form.searched("What is the price?") == "What is the price? (paid leave days)"


@pytest.mark.parametrize(
    "asked",
    [
        {"type": "json_object"},
        {"type": "sculpture"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"name": "it"}},
        {"type": "json_schema", "json_schema": []},
        shaped({"type": 1}),
        shaped({"$ref": "https://evil.example/x.json"}),
        shaped({"unevaluatedProperties": False}),
        shaped({"pattern": "(?=a)"}),
        shaped({"description": "x" * 40_000}),
    ],
)
def test_what_cannot_be_filled_in_or_checked_in_bounded_time_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as caught:
        read_output_form(asked)
    assert (caught.value.http_status, caught.value.code) == (400, "invalid_schema")
    assert (caught.value.body(None).param or "").startswith("response_format")
