from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.core.values import MAX_DEPTH
from contracts.documents.documents import DocumentCreate


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("value", ["", "🙂", "a\0b", -(2**63), 2**63 - 1, 1.7e308, _nested(MAX_DEPTH - 1), {"": None}])
def test_metadata_may_be_any_json_that_can_be_kept(value: Any) -> None:
    assert DocumentCreate(text="x", metadata={"a": value}).metadata == {"a": value}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "NaN"),
        (float("-inf"), "Infinity"),
        (2**63, "beyond 64 bits"),
        ("\ud800", "surrogate"),
        ([{"\udfff": 1}], "surrogate"),
        (_nested(MAX_DEPTH), "deeper than 32"),
    ],
)
def test_metadata_that_can_not_be_kept_is_refused_with_the_reason(value: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        DocumentCreate(text="x", metadata={"a": value})
