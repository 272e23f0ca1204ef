from __future__ import annotations

from typing import Any

import pytest

from contracts.retrieval.chunks import DocumentFacts
from contracts.retrieval.search import Filter
from retriever.errors import FilterUnusable, MetadataUnusable
from retriever.stores import filters
from retriever.stores.filters import Equals, Where, Within


def _facts(metadata: dict[str, Any]) -> DocumentFacts:
    return DocumentFacts(title="T", source="s.txt", media_type="text/plain", metadata=metadata)


def test_each_value_of_a_document_can_be_matched() -> None:
    found = filters.tags("d", _facts({"team": "hr", "n": 2.0, "x": {"y": [True, None], "z": 1.5}}), page=3)
    assert set(found) == {
        'document_id="d"',
        'title="T"',
        'source="s.txt"',
        'media_type="text/plain"',
        "page=3",
        'metadata.team="hr"',
        "metadata.n=2",
        "metadata.x.y=true",
        "metadata.x.z=1.5",
    }


def test_a_match_looks_for_the_tag_that_a_document_has() -> None:
    body = {"must": [{"key": "metadata.x.y", "match": [True, "a" * 500]}]}
    where = filters.where(Filter.model_validate(body))
    assert where is not None
    (test,) = where.must
    assert isinstance(test, Equals)
    tags = filters.tags("d", _facts({"x": {"y": ["a" * 500, True]}}), None)
    assert set(test.values) <= set(tags)
    assert all(len(tag) <= 120 for tag in tags)


def test_a_range_looks_at_the_number_itself() -> None:
    body = {"must_not": [{"key": "metadata.x.y", "range": {"gte": 1, "lt": 2}}]}
    assert filters.where(Filter.model_validate(body)) == Where(must_not=(Within(("metadata", "x", "y"), gte=1, lt=2),))


def test_of_two_bounds_on_one_side_the_tighter_one_holds() -> None:
    both = [{"gt": 1, "gte": 2.5, "lt": 9, "lte": 9}, {"gt": 3, "gte": 3, "lt": 9, "lte": 8}]
    body = {"must": [{"key": "page", "range": bounds} for bounds in both]}
    where = filters.where(Filter.model_validate(body))
    assert where == Where(must=(Within(("page",), gte=2.5, lt=9), Within(("page",), gt=3, lte=8)))


@pytest.mark.parametrize("empty", [None, Filter()])
def test_a_filter_without_conditions_is_none(empty: Filter | None) -> None:
    assert filters.where(empty) is None


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"a": "x" * 70_000}, "larger"),
        ({"a": list(range(600))}, "more than 512"),
    ],
)
def test_metadata_that_cannot_be_kept_is_refused(metadata: dict[str, Any], reason: str) -> None:
    with pytest.raises(MetadataUnusable, match=reason):
        filters.tags("d", _facts(metadata), None)


def test_a_range_over_a_key_that_no_engine_can_read_is_refused() -> None:
    with pytest.raises(FilterUnusable):
        filters.where(Filter.model_validate({"must": [{"key": "metadata.a\\b", "range": {"gt": 1}}]}))


def test_only_fields_that_hold_numbers_get_an_index_for_ranges() -> None:
    metadata = {"a-b": 1, "x": {"y": [2.5, "z"], "flag": True}, "text": "7", "none": None, 'odd"key': 3}
    assert filters.number_paths(metadata) == {'metadata."a-b"', 'metadata."x"."y"'}
