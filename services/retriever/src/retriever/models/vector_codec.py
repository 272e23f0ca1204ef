"""Embeddings given out to be put back later: a document's archive keeps them, so that restoring it embeds nothing."""

from __future__ import annotations

import base64
import binascii
import math
import sys
from array import array
from collections.abc import Sequence

LENGTH_TOLERANCE = 1e-2
"""Vectors are kept at unit length; what is far from it was not given out by us."""


def seal(model: str, vector: Sequence[float]) -> str:
    """A vector with the name of its model: `<model> <base64 of little-endian float32>`."""
    values = array("f", vector)
    if sys.byteorder == "big":
        values.byteswap()
    return f"{model} {base64.b64encode(values.tobytes()).decode()}"


def unseal(sealed: str, model: str, dimensions: int) -> list[float] | None:
    """The vector, if it is of this model, of this many dimensions and of unit length; else null."""
    named, _, encoded = sealed.rpartition(" ")
    if named != model:
        return None
    values = array("f")
    try:
        values.frombytes(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return None
    if sys.byteorder == "big":
        values.byteswap()
    vector = values.tolist()
    usable = len(vector) == dimensions and abs(math.hypot(*vector) - 1.0) < LENGTH_TOLERANCE
    return vector if usable else None
