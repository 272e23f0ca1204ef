from __future__ import annotations

import math

import pytest

from retriever.models.vector_codec import decode_embedding, encode_embedding

UNIT = [0.6, 0.8, 0.0]


def test_what_is_encoded_is_decoded_to_float32() -> None:
    again = decode_embedding(encode_embedding("a model", UNIT), "a model", 3)
    assert again is not None
    assert again == pytest.approx(UNIT, abs=1e-7)


@pytest.mark.parametrize(
    "encoded",
    [
        encode_embedding("another", UNIT),
        encode_embedding("mini", [0.6, 0.8]),
        encode_embedding("mini", [0.0, 0.0, 0.0]),
        encode_embedding("mini", [math.nan, 0.8, 0.6]),
        encode_embedding("mini", [math.inf, 0.0, 0.0]),
        "mini not-base64!",
        "mini AAAA",
        "mini ",
        "",
    ],
)
def test_what_cannot_be_used_is_no_vector(encoded: str) -> None:
    assert decode_embedding(encoded, "mini", 3) is None
