from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refusal, refused_field
from pydantic import BaseModel, ValidationError

from contracts.retrieval.search import (
    MAX_MATCHES,
    MAX_QUERY_CHARS,
    Condition,
    Filter,
    Range,
    SearchOptions,
    SearchRequest,
)


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (SearchOptions, {"query": ""}, "query"),
        (SearchOptions, {"query": "\ud800"}, "query"),
        (SearchOptions, {"query": "x" * (MAX_QUERY_CHARS + 1)}, "query"),
        (SearchOptions, {"query": "a", "limit": 1000}, "limit"),
        (SearchOptions, {"query": "a", "offset": 10_001}, "offset"),
        (SearchOptions, {"query": "a", "mode": "psychic"}, "mode"),
        (SearchOptions, {"query": "a", "min_score": float("nan")}, "min_score"),
        (SearchOptions, {"query": "a", "neighbours": 4}, "neighbours"),
        (SearchOptions, {"query": "a", "group_by": "title"}, "group_by"),
        (SearchOptions, {"query": "a", "collections": ["b"]}, "collections"),
        (SearchRequest, {"query": "a", "collections": []}, "collections"),
        (SearchRequest, {"query": "a", "collections": ["a"] * 17}, "collections"),
        (SearchRequest, {"query": "a", "collections": ["../a"]}, "collections"),
        (Condition, {"key": "secret", "match": 1}, "key"),
        (Filter, {"must": [{"key": "page", "match": 1}] * 65}, "must"),
        (Filter, {"must_nod": []}, "must_nod"),
    ],
)
def test_a_wrong_field_is_refused_by_name(model: type[BaseModel], body: dict[str, Any], field: str) -> None:
    assert refused_field(model, body) == field


@pytest.mark.parametrize(
    ("model", "body", "why"),
    [
        (Condition, {"key": "metadata.team"}, "exactly one of match and range"),
        (Condition, {"key": "metadata.team", "match": 1, "range": {"gt": 1}}, "exactly one of match and range"),
        (Range, {}, "at least one of gt, gte, lt, lte"),
        (Range, {"gt": None}, "at least one of gt, gte, lt, lte"),
    ],
)
def test_a_test_of_a_key_is_one_and_says_something(model: type[BaseModel], body: dict[str, Any], why: str) -> None:
    assert why in refusal(model, body)[1]


def test_a_filter_of_the_public_api_is_accepted_as_documented() -> None:
    filters = Filter.model_validate(
        {
            "must": [{"key": "metadata.team", "match": "hr"}, {"key": "metadata.year", "range": {"gte": 2024}}],
            "must_not": [{"key": "document_id", "match": ["a", "b"]}],
        }
    )
    assert [condition.key for condition in filters.must] == ["metadata.team", "metadata.year"]


@pytest.mark.parametrize("match", ["", "1", 1, 1.5, True, False, 0, "🙂", ["a", 1, True], ["a"] * MAX_MATCHES])
def test_a_match_keeps_the_kind_of_its_value(match: Any) -> None:
    kept = Condition.model_validate({"key": "page", "match": match}).match
    assert (kept, type(kept)) == (match, type(match))
    if isinstance(match, list) and isinstance(kept, list):
        assert list(map(type, kept)) == list(map(type, match))


@pytest.mark.parametrize("match", [[1, None], [[1]], {"a": 1}, [], [1] * 257, float("nan"), 2**63, "\ud800"])
def test_a_match_says_what_it_takes(match: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Condition.model_validate({"key": "page", "match": match})
    (error,) = caught.value.errors()
    assert (error["loc"], error["type"]) == (("match",), "value_error")


@pytest.mark.parametrize("bound", ["2024", True, float("nan"), float("inf"), [1], {}])
def test_a_bound_is_a_number(bound: Any) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate({"key": "page", "range": {"gte": bound}})


@pytest.mark.parametrize("key", ["page", "title", "metadata.a", "metadata.Straße", "metadata." + ".".join("abcdefgh")])
def test_a_key_may_have_up_to_eight_parts(key: str) -> None:
    assert Condition.model_validate({"key": key, "match": 1}).key == key


@pytest.mark.parametrize(
    "key",
    [
        *(
            "",
            "metadata",
            "metadata.",
            "metadata.a b",
            'metadata."a"',
            "metadata.a[]",
            "text",
            "page\n",
            "metadata.\ud800",
        ),
        "metadata." + ".".join("abcdefghi"),
        "metadata." + "a" * 101,
    ],
)
def test_a_key_that_can_not_be_filtered_by_is_refused_in_words(key: str) -> None:
    with pytest.raises(ValidationError, match=r"must be document_id, title, .* or metadata\.<key>|whole characters"):
        Condition.model_validate({"key": key, "match": 1})
