from __future__ import annotations

from typing import Any

import pytest

from inference.engines.logits_processors import LogitsProcessors
from inference.requests.generation_request import GenerationRequest, Sampling
from inference.schemas.grammar import grammar_schema
from inference.tool_calls.calls import read_tools

A = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**A, "additionalProperties": False}
SHAPES: dict[str, dict[str, Any]] = {
    "references": {**A, "$defs": {"A": A}, "required": ["a"]},
    "one of several": {"type": "object", "properties": {"a": {"oneOf": [A, {"type": "object"}]}}},
    "format of C#": {"type": "object", "properties": {"a": {"type": "integer", "format": "int32"}}},
    "look-ahead": {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(?!x).*$"}}},
    "unique items": {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}},
    "any keys of a kind": {"type": "object", "additionalProperties": {"type": "string"}},
    "keys by pattern": {"type": "object", "patternProperties": {"^x": {"type": "string"}}},
    "names of keys": {"type": "object", "propertyNames": {"pattern": "^a"}},
    "if and then": {"type": "object", "if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}},
    "not": {"type": "object", "properties": {"a": {"not": {"type": "string"}}}},
    "least keys": {**A, "minProperties": 1},
    "keys that need others": {**A, "dependentRequired": {"a": ["b"]}},
    "recursive": {"$defs": {"N": {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}}}, "$ref": "#/$defs/N"},
    "nullable": {"type": "object", "properties": {"a": {"type": "string", "nullable": True}}},
}
"""As clients of every kind send them."""


def fits(parameters: dict[str, Any], arguments: str) -> bool:
    """Whether a model that must call a tool may write these arguments."""
    function = {"name": "f", "parameters": parameters}
    tools = read_tools({"tools": [{"type": "function", "function": function}], "tool_choice": "required"})
    guide = LogitsProcessors.for_bytes().create(GenerationRequest((), None, 1, (), Sampling(), None, tools))
    assert guide is not None
    return guide.fits(list(f'{{"name": "f", "arguments": {arguments}}}'.encode()))


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_of_schema_guides_an_answer(name: str) -> None:
    assert not fits(SHAPES[name], '"no object"')


def test_an_object_that_lists_its_properties_has_no_others() -> None:
    assert fits(A, '{"a": "x"}')
    assert not fits(A, '{"a": "x", "type": "object"}')
    assert not fits({}, '{"a": "x"}'), "a tool that lists no arguments takes none"
    assert not fits({"type": "object", "properties": {"in": A}}, '{"in": {"b": "x"}}')


@pytest.mark.parametrize(
    "schema",
    [
        {**A, "additionalProperties": True},
        {**A, "additionalProperties": {"type": "string"}},
        {**A, "patternProperties": {"^b": {"type": "string"}}},
        {**A, "required": ["a", "b"]},
        {**A, "anyOf": [{"properties": {"b": {"type": "string"}}}, {"required": ["a"]}]},
        {"allOf": [A, {"properties": {"b": {"type": "string"}}}]},
        {"$defs": {"A": A}, "allOf": [{"$ref": "#/$defs/A"}, {"properties": {"b": {"type": "string"}}}]},
    ],
)
def test_an_object_that_may_have_more_is_left_open(schema: dict[str, Any]) -> None:
    assert fits(schema, '{"a": "x", "b": "y"}')


def test_what_is_closed_is_said_where_servers_hold_answers_to_schemas() -> None:
    schema = {"$defs": {"A": A}, "type": "object", "properties": {"one": {"$ref": "#/$defs/A"}, "two": {"enum": [A]}}}
    written = grammar_schema(schema)
    assert written["$defs"]["A"] == CLOSED
    assert written["properties"]["two"] == {"enum": [A]}, "a value that is an object is no schema"
    assert written["additionalProperties"] is False
