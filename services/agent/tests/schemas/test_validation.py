from __future__ import annotations

import time
from typing import Any

import pytest

from agent.schemas.validation import SchemaBroken, check_schema, places, problems, resolved

FORKS = {
    "$defs": {
        **{f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(40)},
        "d40": {"type": "null"},
    },
    "$ref": "#/$defs/d0",
}
MANY = list(range(3000))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "pattern": "^(a+)+$"}, "a" * 5000 + "!"),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 5000 + "!": 1}),
        ({"propertyNames": {"pattern": "^(a|a)*$"}}, {"a" * 5000 + "!": 1}),
        (FORKS, 1),
        ({"items": {"anyOf": [{"type": "null"}] * 3000}}, MANY),
        ({"items": {"enum": [f"{n}" for n in MANY]}}, MANY),
        ({"patternProperties": {f"{n}x": {} for n in MANY}}, {f"{n}": 1 for n in MANY}),
        ({"uniqueItems": True}, [{} for _ in range(20_000)]),
    ],
)
def test_no_schema_holds_up_the_process(schema: dict[str, Any], value: Any) -> None:
    check_schema(schema)
    began = time.process_time()
    told = problems(schema, value)
    assert time.process_time() - began < 60  # unbounded they take minutes, or longer than anybody lives
    assert told or "patternProperties" in schema


@pytest.mark.parametrize(
    ("schema", "fits", "fits_not"),
    [
        ({"pattern": "^a$"}, ["a", 1], ["a\n", "b", "ab"]),
        ({"pattern": "b"}, ["abc"], ["ac"]),
        ({"uniqueItems": True}, [[1, 2], [1, "1"], [True, 1], {}], [[1, 1.0], [{"a": 1, "b": 2}, {"b": 2.0, "a": 1}]]),
        ({"uniqueItems": False}, [[1, 1]], []),
        (
            {"properties": {"a": {}}, "patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False},
            [{"a": 1, "x1": 2}, {}, []],
            [{"b": 1}, {"x1": "2"}],
        ),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}, [{"a": 1, "b": "c"}], [{"b": 1}]),
        ({"additionalProperties": True}, [{"b": 1}], []),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, [1], ["1"]),
    ],
)
def test_schemas_mean_what_they_always_mean(schema: dict[str, Any], fits: list[Any], fits_not: list[Any]) -> None:
    check_schema(schema)
    assert [value for value in fits if problems(schema, value)] == []
    assert [value for value in fits_not if not problems(schema, value)] == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strung"},
        {"$ref": "https://example.com/schema"},
        {"pattern": "("},
        {"properties": {"a": {"pattern": "(?=a)b"}}},
        {"patternProperties": {r"(a)\1": {}}},
        {"unevaluatedProperties": False},
    ],
)
def test_a_schema_that_can_not_be_checked_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaBroken):
        check_schema(schema)


def test_a_schema_refers_only_to_itself_and_says_what_is_wrong() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}
    check_schema(schema)
    assert problems(schema, {"a": 1}) == []
    assert "a:" in problems(schema, {"a": "x"})[0]
    for broken in ({"type": "wrong"}, {"$ref": "file:///etc/passwd"}, {"items": [{"$ref": "http://x/y"}]}):
        with pytest.raises(SchemaBroken):
            check_schema(broken)


def test_the_places_that_do_not_fit_are_paths() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}, "required": ["b"]}
    assert sorted(places(schema, {"a": ["x", None]})) == [(), ("a", 1)]
    assert places(schema, {"a": ["x"], "b": 1}) == []


def test_a_reference_within_the_schema_is_followed_and_a_circle_ends() -> None:
    schema = {"$defs": {"a/b": {"type": "string"}, "one": {"$ref": "#/$defs/two"}, "two": {"$ref": "#/$defs/one"}}}
    assert resolved(schema, {"$ref": "#/$defs/a~1b"}) == {"type": "string"}
    assert resolved(schema, {"type": "null"}) == {"type": "null"}
    assert resolved(schema, {"$ref": "#/$defs/nowhere"}) == {}
    assert "$ref" in resolved(schema, {"$ref": "#/$defs/one"})
