from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from libs.contracts.tests.refusals import refusal, refused_field

from contracts.agents.agents import (
    MAX_INSTRUCTIONS_CHARS,
    MAX_TOOLS,
    Agent,
    AgentCreate,
    AgentDefinition,
    definition_of,
)
from contracts.agents.plain_tools import PlainToolName
from contracts.agents.schemas import MAX_SCHEMA_CHARS

HTTP: dict[str, Any] = {"type": "http_get", "hosts": ["example.com"]}
TIMES = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "A"}, "name"),
        ({"instructions": "\ud800"}, "instructions"),
        ({"model": "\ud800"}, "model"),
        ({"model": ""}, "model"),
        ({"model": "a\0b"}, "model"),
        ({"tools": ["magic"]}, "tools"),
        ({"tools": [{"type": "calculator", "precision": 3}]}, "tools"),
        ({"tools": [{"type": "search_documents", "collections": []}]}, "tools"),
        ({"tools": [{"type": "search_documents", "limit": 21}]}, "tools"),
        ({"tools": [{**HTTP, "hosts": []}]}, "tools"),
        ({"tools": ["http_get"]}, "tools"),
        ({"tools": [{"type": "mcp", "server": "till", "tools": ["pay now"]}]}, "tools"),
        ({"tools": [{"type": "mcp", "server": f"s{at}"} for at in range(MAX_TOOLS + 1)]}, "tools"),
        ({"limits": {"steps": 0}}, "limits"),
        ({"limits": {"seconds": 86_401}}, "limits"),
        ({"limits": {"seconds": float("nan")}}, "limits"),
        ({"limits": {"cost_usd": "0.0000000001"}}, "limits"),
        ({"temperature": float("nan")}, "temperature"),
        ({"approval": {"tools": [""]}}, "approval"),
        ({"memory": {"max_tokens": 199}}, "memory"),
        ({"output_schema": {"minimum": float("inf")}}, "output_schema"),
        ({"output_schema": {"title": "x" * MAX_SCHEMA_CHARS}}, "output_schema"),
        ({"output_schema": deep(32)}, "output_schema"),
        ({"intructions": "Be brief."}, "intructions"),
    ],
)
def test_a_wrong_field_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    assert refused_field(AgentCreate, {"name": "a", **body}) == field


@pytest.mark.parametrize("names", ["a", "ab"])
def test_variables_of_instructions_are_together_no_longer_than_a_text(names: str) -> None:
    def body(chars: int) -> dict[str, Any]:
        variables = {name: "x" * (chars // len(names)) for name in names} | {"n": 1}
        return {"name": "a", "instructions": {"prompt": "style", "variables": variables}}

    AgentCreate.model_validate(body(MAX_INSTRUCTIONS_CHARS))
    assert "more than 100,000 characters" in refusal(AgentCreate, body(MAX_INSTRUCTIONS_CHARS + 2))[1]


@pytest.mark.parametrize("host", ["Example.com", "https://example.com", "example.com/x", "a b", "", "a:x", "a:123456"])
def test_a_tool_calls_hosts_that_are_written_as_hosts(host: str) -> None:
    assert refused_field(AgentDefinition, {"tools": [{**HTTP, "hosts": [host]}]}) == "tools"
    assert AgentDefinition.model_validate({"tools": [{**HTTP, "hosts": ["wiki.intra:9000"]}]}).tools


def test_a_tool_without_options_may_be_written_by_its_name() -> None:
    names = list(get_args(PlainToolName))
    spelt_out = [{"type": name} for name in names]
    short = AgentDefinition.model_validate({"tools": names})
    assert short == AgentDefinition.model_validate({"tools": spelt_out})
    assert short.model_dump()["tools"] == spelt_out


def test_a_tool_is_given_once_but_servers_as_often_as_there_are() -> None:
    field, why = refusal(AgentDefinition, {"tools": ["plan", "calculator", {"type": "calculator"}, "plan"]})
    assert (field, "'calculator' is there twice; give it once" in why) == ("", True)
    servers = [{"type": "mcp", "server": "till"}, {"type": "mcp", "server": "mail", "tools": ["send"]}]
    assert len(AgentDefinition.model_validate({"tools": servers}).tools) == 2


def test_a_stored_definition_is_read_as_it_was_sent() -> None:
    sent = AgentDefinition.model_validate(
        {
            "tools": [HTTP, "calculator", {"type": "mcp", "server": "till"}],
            "limits": {"cost_usd": "0.000000001"},
            "output_schema": {"type": "object"},
            "temperature": 0,
        }
    )
    kept = definition_of(sent.model_dump(mode="json"))
    assert kept == sent
    assert (kept.limits.cost_usd, kept.temperature) == (Decimal("1e-9"), 0.0)


def test_an_agent_of_a_later_release_is_shown_without_what_is_not_known() -> None:
    shown = Agent.model_validate({"name": "a", "version": 1, **TIMES, "colour": "red"})
    assert "colour" not in shown.model_dump()


def test_a_withheld_agent_holds_nothing_but_the_defaults() -> None:
    shown = Agent.model_validate({"name": "a", "version": 3, "withheld": True, **TIMES})
    assert AgentDefinition.model_validate(shown.model_dump(include=set(AgentDefinition.model_fields))) == (
        AgentDefinition()
    )
