from __future__ import annotations

import pytest
from pydantic import ValidationError
from services.inference.tests.heads import encoded
from services.inference.tests.projections import projection

from inference.catalog.learnt.projections import Projection

DIGEST = f"sha256:{'a' * 64}"


def test_its_matrices_are_of_its_dimensions_and_rank() -> None:
    down, up = Projection.model_validate(projection(3)).matrices()
    assert (down.tolist(), up.tolist()) == ([[1], [0], [0]], [[0, 1, 0]])


def test_its_digest_tells_its_numbers_and_what_it_was_learnt_on() -> None:
    changes = ({}, {"up": encoded([0.0, 2.0])}, {"embedding_model": "others"}, {"embedding_digest": DIGEST})
    assert len({Projection.model_validate(projection(**one)).digest for one in changes}) == 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"up": "no base64!"}, "base64 of little-endian float32 is wanted"),
        ({"up": encoded([0.0])}, "dimensions × rank and rank × dimensions"),
        ({"up": encoded([0.0, 1.0], [0.0, 1.0])}, "dimensions × rank and rank × dimensions"),
        ({"dimensions": 3}, "dimensions × rank and rank × dimensions"),
        ({"down": encoded([float("nan")], [0.0])}, "all numbers must be finite"),
        ({"down": encoded([2e4], [0.0])}, "all numbers must be finite"),
        ({"dimensions": 2, "down": encoded([1.0] * 257, [1.0] * 257), "up": encoded(*[[1.0, 1.0]] * 257)}, "up to 256"),
        ({"embedding_model": "default"}, "name the model itself"),
        ({"embedding_digest": "sha256:abc"}, "embedding_digest"),
        ({"code": "import os"}, "Extra inputs"),
    ],
)
def test_what_is_none_is_refused_with_what_is_wrong(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Projection.model_validate(projection(**changes))
