from __future__ import annotations

import hashlib

import pytest
from pydantic import ValidationError
from services.inference.tests.catalog.learnt.test_lora import half
from services.inference.tests.corrections import correction
from services.inference.tests.heads import encoded

from inference.catalog.learnt.corrections import Correction

LAYERS = [{"layer.0.dense": {"down": half(1, 2), "up": half(number)}} for number in (1, 2)]
DIGEST = f"sha256:{'a' * 64}"


def test_its_weights_are_one_for_each_feature() -> None:
    assert Correction.model_validate(correction(0.5, -2.0, 3.0)).vector().tolist() == [0.5, -2, 3]


def test_its_digest_tells_its_numbers_and_what_it_was_learnt_on() -> None:
    changes = ({}, {"offset": 1.0}, {"scale": 2.0}, {"reading_model": "others"}, {"reading_digest": DIGEST})
    found = {Correction.model_validate(correction(**one)).digest for one in changes}
    assert len(found | {Correction.model_validate(correction(2.0, 0.0)).digest}) == 6


def test_what_was_learnt_beside_an_encoder_s_layers_is_of_its_digest_which_is_as_it_was_without() -> None:
    plain = Correction.model_validate(correction(0.5, -2.0))
    before = '{"reading_model":"reader","reading_digest":null,"weights":"AAAAPwAAAMA=","scale":1.0,"offset":0.0}'
    assert plain.digest == f"sha256:{hashlib.sha256(before.encode()).hexdigest()}"
    beside = [
        Correction.model_validate(correction(0.5, -2.0, reading_digest=DIGEST, lora={"rank": 1, "matrices": one}))
        for one in LAYERS
    ]
    assert len({plain.digest, *(one.digest for one in beside)}) == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lora": {"rank": 2, "matrices": {"a": {"down": half(1, 2, 3), "up": half(1, 2)}}}}, "rank × inputs"),
        ({"lora": {"rank": 1, "matrices": {}}}, "at least 1 item"),
        ({"lora": {"rank": 1, "matrices": LAYERS[0]}}, "Give its digest"),
        ({"weights": "no base64!"}, "base64 of little-endian float32 is wanted"),
        ({"weights": encoded([float("nan")])}, "all numbers must be finite"),
        ({"weights": encoded([2e6])}, "all numbers must be finite"),
        ({"scale": float("inf")}, "scale"),
        ({"reading_model": "default"}, "name the model itself"),
        ({"reading_digest": "sha256:abc"}, "reading_digest"),
        ({"code": "import os"}, "Extra inputs"),
    ],
)
def test_what_is_none_is_refused_with_what_is_wrong(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Correction.model_validate(correction(**changes))
