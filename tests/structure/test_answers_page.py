"""docs/answers.md says what a request may have: every field is named, and each example is a request that is taken."""

from __future__ import annotations

import re
from pathlib import Path

from contracts.models.chat import AnswerOptions, ChatRequest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "answers.md").read_text(encoding="utf-8")


def test_each_example_is_a_request_that_is_taken() -> None:
    examples = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    asked = [ChatRequest.model_validate_json(example) for example in examples]
    assert [one.model for one in asked] == ["rag:handbook", "rag:contracts"]


def test_the_table_has_every_option_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert rows == list(AnswerOptions.model_fields)
