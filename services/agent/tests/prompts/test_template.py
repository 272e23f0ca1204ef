from __future__ import annotations

from typing import Any

import pytest

from agent.prompts.errors import PromptRefused, PromptTooLong, VariablesWrong
from agent.prompts.template import MAX_FILLED_CHARS, check_template, fill
from contracts.agents.prompts import PromptDefinition


def _definition(text: str, **variables: dict[str, Any]) -> PromptDefinition:
    messages = [{"role": "user", "content": text}]
    return PromptDefinition.model_validate({"messages": messages, "variables": variables})


def _filled(text: str, given: dict[str, Any], **variables: dict[str, Any]) -> str:
    definition = _definition(text, **variables)
    check_template(definition)
    return fill("greeting", definition, given)[0].content


def test_variables_are_put_in_as_they_are_with_defaults_where_none_is_given() -> None:
    assert _filled("{{ who }}: {{n}}, {{flag}}", {"who": "Ann", "n": 3, "flag": True}, who={}, n={"type": "number"},
                   flag={"type": "boolean"}) == "Ann: 3, true"  # fmt: skip
    assert _filled("Hi {{who}}", {}, who={"default": "all"}) == "Hi all"
    assert _filled("Hi {{who}}", {"who": ""}, who={}) == "Hi "


def test_what_looks_like_a_variable_in_a_value_stays_text() -> None:
    assert _filled("{{a}}{{b}}", {"a": "{{b}}", "b": "\\{{a}}"}, a={}, b={}) == "{{b}}\\{{a}}"
    assert _filled("{{a}}b}}", {"a": "{{"}, a={}, b={"default": "z"}) == "{{b}}", "nor do a value and the text make one"


def test_braces_that_are_marked_stay() -> None:
    assert _filled('\\{{a}} {"x": {"y": 1}} $a ${a} {a} %s', {}) == '{{a}} {"x": {"y": 1}} $a ${a} {a} %s'


@pytest.mark.parametrize(
    "text",
    ["{{unknown}}", "{{", "{{{{a}}}}", "{{{a}}}", "{{a b}}", "{{1}}", "{{a", "{{\na}}", "{{}}", "{{" * 50_000],
)
def test_a_template_with_what_is_no_variable_of_it_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(PromptRefused) as refused:
        check_template(_definition(text, a={}))
    assert refused.value.body(None).param == "messages.0.content"
    assert len(refused.value.message) < 400


def test_a_variable_in_too_many_places_is_refused() -> None:
    with pytest.raises(PromptRefused, match="1,001 places"):
        check_template(_definition("{{a}}" * 1_001, a={}))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "'who' is missing"),
        ({"who": "x", "other": 1}, "'other' is not one of them"),
        ({"who": 3}, "'who' must be of the type string"),
        ({"who": "x", "n": 1.5}, "'n' must be of the type integer"),
        ({"who": "x", "n": True}, "'n' must be of the type integer"),
    ],
)
def test_values_that_do_not_fit_are_told_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(VariablesWrong, match=said):
        fill("greeting", _definition("{{who}}", who={}, n={"type": "integer", "default": 1}), given)


def test_values_that_multiply_are_given_up_before_they_fill_memory() -> None:
    with pytest.raises(PromptTooLong):
        fill("bomb", _definition("{{a}}" * 1_000, a={}), {"a": "x" * (MAX_FILLED_CHARS // 1_000 + 1)})
