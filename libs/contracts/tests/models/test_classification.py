from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.models.classification import ClassifyRequest, ModerationRequest, ModerationRules


def test_a_label_is_about_its_text_or_else_about_its_name() -> None:
    request = ClassifyRequest.model_validate({"input": "x", "labels": ["late", {"label": "odd", "text": "a lamp"}]})
    assert request.label_texts() == {"late": "late", "odd": "a lamp"}
    assert ClassifyRequest(input="x").label_texts() == {}


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], ["a\nb"]),
    ],
)
def test_an_input_of_moderation_is_a_text_several_or_the_parts_of_one(given: Any, texts: list[str]) -> None:
    assert ModerationRequest.model_validate({"input": given, "user": "u"}).texts() == texts


@pytest.mark.parametrize(
    "given",
    [
        "",
        [],
        [""],
        ["a", {"type": "text", "text": "b"}],
        [{"type": "image_url", "image_url": {"url": "https://a.test"}}],
        [{"type": "text"}],
        [{"type": "text", "text": 7}],
        [{"type": "text", "text": "half a character: \ud800"}],
        ["x"] * 257,
        [["x"]],
        7,
        None,
        {},
    ],
)
def test_any_other_input_of_moderation_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        ModerationRequest.model_validate({"input": given})


@pytest.mark.parametrize(
    "rules",
    [{"categories": {}}, {"categories": {"a": "Not A Category"}}, {"categories": {"a": "hate"}, "threshold": 0}],
)
def test_rules_of_moderation_name_categories_and_a_threshold_above_0(rules: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ModerationRules.model_validate(rules)
