from __future__ import annotations

from typing import Any

import pytest

from agent.agents.errors import ModelTooWeak
from agent.agents.strength import check_strength, is_planned
from agent.testing.scripted_answers import CAPABLE, PACKAGED
from contracts.agents.agents import AgentDefinition

SEARCH = "search_documents"


@pytest.mark.parametrize(
    ("definition", "planned", "refused"),
    [
        ({}, False, False),
        ({"tools": [SEARCH]}, True, False),
        ({"tools": [SEARCH, "read_document"], "tool_choice": "required"}, True, False),
        ({"tools": ["read_document"]}, False, True),
        ({"tools": [SEARCH, "calculator"]}, False, True),
        ({"tools": [SEARCH], "approval": {"tools": [SEARCH]}}, False, True),
        ({"tools": [SEARCH], "output_schema": {"type": "object"}}, False, True),
        ({"tools": ["calculator"], "allow_weak_model": True}, False, False),
        ({"tools": [SEARCH], "allow_weak_model": True}, False, False),
        ({"tools": ["calculator"], "tool_choice": "none"}, False, False),
    ],
)
def test_what_the_packaged_model_runs(definition: dict[str, Any], planned: bool, refused: bool) -> None:
    wanted = AgentDefinition.model_validate(definition)
    assert is_planned(wanted, PACKAGED) is planned
    if refused:
        with pytest.raises(ModelTooWeak, match="allow_weak_model"):
            check_strength(wanted, PACKAGED)
    else:
        check_strength(wanted, PACKAGED)
    check_strength(wanted, CAPABLE)
    assert not is_planned(wanted, CAPABLE)
