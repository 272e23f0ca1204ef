from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.models.reading import MAX_READ, PairReading, ReadingRequest

PAIR = {"premise": "p", "sentence": "s"}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "at least one"),
        ({"question": "q"}, "go together"),
        ({"passages": ["p"]}, "go together"),
        ({"question": "q", "passages": []}, "go together"),
        ({"question": "", "passages": ["p"]}, "must not be empty"),
        ({"question": "q", "passages": ["p", ""]}, "must not be empty"),
        ({"question": "q", "passages": ["\ud800"]}, "surrogate"),
        ({"question": "q", "passages": ["p"] * (MAX_READ + 1)}, "at most 256"),
        ({"pairs": [PAIR] * (MAX_READ + 1)}, "at most 256"),
        ({"pairs": [{"premise": "p"}]}, "required"),
        ({"pairs": [PAIR], "depth": 3}, "not permitted"),
    ],
)
def test_what_asks_for_nothing_or_too_much_is_refused(body: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ReadingRequest.model_validate(body)


def test_a_question_with_passages_and_pairs_may_be_asked_together_or_alone() -> None:
    for body in ({"question": "q", "passages": ["p"]}, {"pairs": [PAIR]}):
        assert ReadingRequest.model_validate(body).priority == "query"
    assert ReadingRequest.model_validate({"question": "q", "passages": ["p"], "pairs": [PAIR]}).pairs[0].premise == "p"


@pytest.mark.parametrize(
    ("supported", "contradicted", "verdict", "neither"),
    [
        (0.6, 0.3, "supported", 0.1),
        (0.3, 0.5, "contradicted", 0.2),
        (0.2, 0.2, "neither", 0.6),
        (0.4, None, "neither", 0.6),
        (0.75, 0.5, "supported", 0.0),
    ],
)
def test_a_verdict_is_the_likeliest_of_three(
    supported: float, contradicted: float | None, verdict: str, neither: float
) -> None:
    reading = PairReading.of(supported, contradicted)
    assert (reading.verdict, reading.contradicted) == (verdict, contradicted)
    assert reading.neither == pytest.approx(neither)
