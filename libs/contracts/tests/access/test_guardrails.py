from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refused_field

from contracts.access.guardrails import GuardDecision, Guardrails


def test_without_a_rule_only_retrieved_text_is_looked_at_and_nothing_is_refused() -> None:
    rules = Guardrails.model_validate({})
    assert rules.model_dump() == {
        "input": {"secrets": "off", "pii": "off"},
        "output": {"secrets": "off", "pii": "off"},
        "injection": "flag",
        "max_input_chars": None,
    }


def test_what_a_rule_leaves_out_stays_off() -> None:
    rules = Guardrails.model_validate({"input": {"pii": "redact"}})
    assert (rules.input.pii, rules.input.secrets, rules.output.pii) == ("redact", "off", "off")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": {"pi": "block"}}, "input"),
        ({"output": {"pii": "mask"}}, "output"),
        ({"output": "block"}, "output"),
        ({"injection": "redact"}, "injection"),
        ({"retrieved": {"pii": "block"}}, "retrieved"),
        ({"max_input_chars": 0}, "max_input_chars"),
    ],
)
def test_a_misspelt_guard_is_refused_and_never_taken_as_none(body: dict[str, Any], field: str) -> None:
    assert refused_field(Guardrails, body) == field


def test_a_decision_says_what_kinds_were_found_and_never_the_text() -> None:
    noted = {"guard": "pii", "where": "input", "action": "flag", "kinds": ["card"], "text": "4111 1111 1111 1111"}
    assert GuardDecision.model_validate(noted).model_dump() == {
        "guard": "pii",
        "where": "input",
        "action": "flag",
        "kinds": ["card"],
        "count": 1,
    }
