from __future__ import annotations

from typing import Any

import pytest
from services.inference.tests.engines.wrappers.engines import FakeEngine, asked, streamed

from inference.engines.wrappers.checked_schema import CheckedSchema
from inference.errors import AnswerUnfit

EVEN: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"multipleOf": 2}}}


async def test_an_answer_that_a_grammar_let_pass_is_unfit_whole_and_streamed() -> None:
    engine = CheckedSchema(FakeEngine("3", "3", "4", "4"))
    with pytest.raises(AnswerUnfit, match="not a multiple"):
        await engine.complete(asked(response_format=EVEN))
    with pytest.raises(AnswerUnfit):
        await streamed(engine.stream(asked(response_format=EVEN)))
    assert (await engine.complete(asked(response_format=EVEN))).choices[0]["message"]["content"] == "4"
    assert (await streamed(engine.stream(asked(response_format=EVEN))))[0] == "4"


@pytest.mark.parametrize(
    "more", [{}, {"response_format": {"type": "json_object"}}, {"response_format": EVEN, "stop": "never"}]
)
async def test_text_that_has_no_schema_or_was_stopped_passes_as_it_is(more: dict[str, Any]) -> None:
    engine = CheckedSchema(FakeEngine("no JSON", "no JSON"))
    assert (await engine.complete(asked(**more))).choices[0]["message"]["content"] == "no JSON"
    assert (await streamed(engine.stream(asked(**more))))[0] == "no JSON"
