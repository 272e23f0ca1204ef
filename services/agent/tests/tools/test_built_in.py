"""Every row of the table, and what it takes to add one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from docs import build_tools
from llguidance import LLMatcher
from prometheus_client import REGISTRY
from services.agent.tests.runs_bench import bench

from agent import tools
from agent.agents.rights import check_rights
from agent.errors import ToolScopeMissing
from agent.metrics import TOOL_OUTCOMES
from agent.tools.built_in import built_in_tools, plain_tools
from agent.tools.toolbox import check_approvals
from contracts.access.delegation import Delegation
from contracts.agents.agents import AgentDefinition, McpTools, PlainTool, Tool
from contracts.agents.plain_tools import PlainToolName
from servicekit.sql.database import Database

EVERY_ENGINE = frozenset(
    (
        "type", "properties", "required", "additionalProperties", "items", "enum", "description", "pattern",
        "minimum", "minLength", "maxLength", "minItems", "maxItems",
    )
)  # fmt: skip
"""Keywords that the in-process grammars, vLLM's and hosted models take."""
NEEDED: dict[str, dict[str, Any]] = {"hosts": {"hosts": ["a.example"]}}
DICE = """
from agent.tools.built_in import BuiltInTool

class Dice:
    name = kind = "dice"
    repeat = "safe"
    description = "Throws a dice."
    parameters = {"type": "object", "properties": {}, "additionalProperties": False}

    async def call(self, arguments, caller):
        return "4"

BUILT_IN = (BuiltInTool("dice", "Throws a dice.", lambda options, resources: Dice(), ("search",)),)
"""


def _keywords(schema: Any) -> set[str]:
    if not isinstance(schema, dict):
        return set()
    inner = [*schema.get("properties", {}).values(), schema.get("items")]
    return set(schema).union(*map(_keywords, inner))


async def test_every_engine_can_be_held_to_the_schemas_of_our_tools(database: Database) -> None:
    named = [
        {"type": row.name, **NEEDED.get(row.options[0] if row.options else "", {})} for row in built_in_tools().values()
    ]
    box, definition = bench(database).agents.toolbox, AgentDefinition.model_validate({"tools": named})
    async with box.tools("acme", definition) as made:
        assert set(made) == set(built_in_tools())
        for name, tool in made.items():
            assert (tool.name, tool.kind) == (name, name)
            assert _keywords(tool.parameters) <= EVERY_ENGINE, tool.name
            assert LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(tool.parameters)) == "", tool.name


async def test_calls_of_every_tool_are_counted_from_zero_on(database: Database) -> None:
    bench(database)
    for kind in (*built_in_tools(), "mcp"):
        for outcome in TOOL_OUTCOMES:
            labels = {"tool": kind, "outcome": outcome}
            assert REGISTRY.get_sample_value("groundwork_run_tool_calls_total", labels) is not None, labels


def test_the_options_of_a_tool_are_the_fields_of_its_model() -> None:
    models = [model for model in get_args(get_args(Tool)[0]) if model is not McpTools]
    fields = {
        name: tuple(field for field in model.model_fields if field != "type")
        for model in models
        for name in get_args(model.model_fields["type"].annotation)
    }
    fields["http_get"] = ("hosts",)  # of the model that it shares with http_post
    assert {row.name: row.options for row in built_in_tools().values()} == fields


def test_the_contract_names_the_tools_without_options() -> None:
    assert list(get_args(PlainToolName)) == plain_tools()


@pytest.fixture
def dice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlainTool]:
    """One more module in the folder of tools, and nothing else."""
    (tmp_path / "dice.py").write_text(DICE)
    monkeypatch.setattr(tools, "__path__", [*tools.__path__, str(tmp_path)])
    built_in_tools.cache_clear()
    yield PlainTool.model_construct(type="dice")
    built_in_tools.cache_clear()


async def test_a_tool_is_added_by_one_module(database: Database, dice: PlainTool) -> None:
    definition = AgentDefinition.model_construct(tools=[dice])
    async with bench(database).agents.toolbox.tools("acme", definition) as made:
        assert made["dice"].description == "Throws a dice."
    check_approvals(AgentDefinition.model_construct(tools=[dice], approval=_approval("dice")), made)
    key = Delegation(audiences=("agent",), tenant="acme", key_id="k", request_id="r", scopes=("agents",))
    with pytest.raises(ToolScopeMissing, match="'search'"):
        check_rights(definition, "gambler", key)
    assert "| `dice` | Throws a dice. | none | `search` |" in build_tools.page()
    assert '"current_time", "dice", "plan"' in build_tools.module()


def _approval(*names: str) -> Any:
    return AgentDefinition.model_validate({"approval": {"tools": list(names)}}).approval
