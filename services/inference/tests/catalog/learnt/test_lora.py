from __future__ import annotations

import base64

import numpy as np
import pytest
from pydantic import ValidationError
from services.inference.tests.projections import lora

from inference.catalog.learnt.lora import Lora


def half(*numbers: float) -> str:
    return base64.b64encode(np.array(numbers, dtype="<f2").tobytes()).decode()


def beside(down: str, up: str) -> dict[str, object]:
    return {"matrices": {"layer.0.dense": {"down": down, "up": up}}}


def test_a_layer_is_changed_by_the_product_of_its_matrices() -> None:
    learnt = Lora.model_validate(lora(**beside(half(1, 2, 3), half(1, 0.5))))
    assert learnt.matrices["layer.0.dense"].change(1).tolist() == [[1, 2, 3], [0.5, 1, 1.5]]


def test_its_digest_tells_its_numbers_and_what_it_was_learnt_on() -> None:
    others = ({}, beside(half(1), half(1)), {"embedding_model": "others"}, {"embedding_digest": f"sha256:{'b' * 64}"})
    assert len({Lora.model_validate(lora(**one)).digest for one in others}) == 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (beside("no base64!", half(1)), "matrices.layer.0.dense: base64 of little-endian float16"),
        (beside(half(1, 2, 3), half(1, 2)) | {"rank": 2}, "rank × inputs and outputs × rank"),
        (beside(half(float("nan")), half(1)), "from -1e4 to 1e4"),
        (beside(half(2e4), half(1)), "from -1e4 to 1e4"),
        ({"matrices": {}}, "at least 1 item"),
        ({"matrices": {"layer 0": {"down": half(1), "up": half(1)}}}, "layer 0"),
        ({"rank": 65}, "rank"),
        ({"embedding_model": "default"}, "name the model itself"),
        ({"embedding_digest": None}, "embedding_digest"),
        ({"code": "import os"}, "Extra inputs"),
    ],
)
def test_what_is_none_is_refused_with_what_is_wrong(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Lora.model_validate(lora(**changes))


def test_more_than_a_declaration_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.catalog.learnt.lora.MOST_MATRICES_BYTES", 6)
    with pytest.raises(ValidationError, match="Choose a smaller rank"):
        Lora.model_validate(lora())
