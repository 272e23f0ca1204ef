from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from contracts.core.base import Moment, Reply, Request
from contracts.core.validation import what_is_wrong
from contracts.operations.table import OPERATIONS

AS_OTHERS_HAVE_IT = {
    "ChatRequest", "CompletionRequest", "EmbeddingRequest", "ModerationRequest", "RerankRequest", "ResponseRequest",
}  # fmt: skip
"""Bodies of other people's APIs, whose clients work with servers that read `"0.7"` as a number."""


class Inner(Request):
    deep: bool = False


class Wanted(Request):
    number: int = 1
    share: Annotated[float, Field(ge=0, le=9)] = 0.5
    switch: bool | None = None
    text: str = ""
    numbers: dict[str, list[int]] = Field(default_factory=dict)
    pair: tuple[int, float] = (1, 1.0)
    version: Annotated[int, Field(ge=1)] | Literal["current"] = "current"
    either: str | int | float | bool | None = None
    type: int = 1
    """A name that core schemas have, too."""
    inner: Inner | None = None
    again: list[Wanted] | None = None
    when: Moment | None = None
    usd: Decimal | None = None
    key: UUID | None = None
    lenient: Annotated[int, Field(strict=False)] = 1

    @model_validator(mode="after")
    def _as_it_is(self) -> Wanted:
        return self


class Shown(Reply):
    number: int
    switch: bool


def _both_ways(model: type[Request], body: Any) -> list[Any]:
    """What a body is read as: of small bodies the values are parsed before, of large ones the bytes are validated."""
    return [_read(model, body, parsed=parsed) for parsed in (True, False)]


def _read(model: type[Request], body: Any, *, parsed: bool) -> Any:
    return model.model_validate(body) if parsed else model.model_validate_json(json.dumps(body))


@pytest.mark.parametrize(
    ("body", "place", "words"),
    [
        ({"number": False}, "number", "must be a whole number, without quotation marks"),
        ({"number": "5"}, "number", "must be a whole number, without quotation marks"),
        ({"number": 5.5}, "number", "Input should be a valid integer, got a number with a fractional part"),
        ({"share": True}, "share", "must be a number, without quotation marks"),
        ({"share": "0.5"}, "share", "must be a number, without quotation marks"),
        ({"switch": 0}, "switch", "must be true or false, without quotation marks"),
        ({"switch": 1.0}, "switch", "must be true or false, without quotation marks"),
        ({"switch": "yes"}, "switch", "must be true or false, without quotation marks"),
        ({"text": 5}, "text", "Input should be a valid string"),
        ({"numbers": {"a": [1, True]}}, "numbers.a.1", "must be a whole number, without quotation marks"),
        ({"pair": [1, "1"]}, "pair.1", "must be a number, without quotation marks"),
        ({"version": "3"}, "version.int", "must be a whole number, without quotation marks"),
        ({"type": True}, "type", "must be a whole number, without quotation marks"),
        ({"inner": {"deep": 1}}, "inner.deep", "must be true or false, without quotation marks"),
        ({"again": [{"number": True}]}, "again.0.number", "must be a whole number, without quotation marks"),
    ],
)
def test_a_value_of_another_type_than_the_schema_says_is_refused_by_its_name(body: Any, place: str, words: str) -> None:
    for parsed in (True, False):
        with pytest.raises(ValidationError) as refused:
            _read(Wanted, body, parsed=parsed)
        first = refused.value.errors()[0]
        assert (".".join(map(str, first["loc"])), what_is_wrong(first)) == (place, words)


def test_what_json_schema_counts_as_the_type_is_taken() -> None:
    for read in _both_ways(Wanted, {"number": 5.0, "share": 1, "switch": True, "version": 3.0, "pair": [2.0, 2]}):
        assert (read.number, read.share, read.switch, read.version, read.pair) == (5, 1.0, True, 3, (2, 2.0))
        assert type(read.number) is int


@pytest.mark.parametrize("value", ["5", 5, 5.0, True])
def test_of_several_types_a_value_keeps_its_own(value: Any) -> None:
    for read in _both_ways(Wanted, {"either": value}):
        assert (type(read.either), read.either) == (type(value), value)


def test_what_json_writes_as_a_text_is_read_from_one() -> None:
    moment, key = "2026-01-31T12:00:00Z", "c0ffee00-0000-4000-8000-000000000000"
    for read in _both_ways(Wanted, {"when": moment, "usd": "0.10", "key": key, "lenient": "5"}):
        assert (read.when, read.usd, read.key) == (datetime(2026, 1, 31, 12, tzinfo=UTC), Decimal("0.10"), UUID(key))
        assert read.lenient == 5, "a field may say that it is lenient"


def test_the_published_schema_is_the_same() -> None:
    properties = Wanted.model_json_schema()["$defs"]["Wanted"]["properties"]
    assert properties["number"] == {"default": 1, "title": "Number", "type": "integer"}
    assert properties["version"]["anyOf"] == [{"minimum": 1, "type": "integer"}, {"const": "current", "type": "string"}]


def test_a_model_is_as_exact_where_another_has_it_and_read_again() -> None:
    lists = TypeAdapter(list[Wanted])
    assert Wanted.model_rebuild(force=True)
    for kind in (lists, TypeAdapter(list[Wanted])):
        assert kind.validate_python([{"version": 3.0}])[0].version == 3
        with pytest.raises(ValidationError):
            kind.validate_python([{"number": True}])


def test_answers_of_other_services_are_read_leniently() -> None:
    assert Shown.model_validate({"number": "5", "switch": 0}) == Shown(number=5, switch=False)


def test_every_body_that_is_ours_takes_exact_types() -> None:
    bodies = {operation.request for operation in OPERATIONS if operation.request is not None}
    assert {body.__name__ for body in bodies if not issubclass(body, Request)} == AS_OTHERS_HAVE_IT
