"""Vectors as text: base64 of little-endian float32, for calls, archives and backups.

A document's archive keeps each chunk's vector with the name of its model, so that restoring it embeds nothing.
"""

from __future__ import annotations

import base64
import math
import sys
from array import array
from collections.abc import Sequence

LENGTH_TOLERANCE = 1e-2
"""Vectors are kept at unit length; one far from it did not come from a vector store."""


def to_base64(vector: Sequence[float]) -> str:
    """Little-endian float32 in base64."""
    values = array("f", vector)
    if sys.byteorder == "big":
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()


def from_base64(text: str) -> list[float]:
    """The reverse of `to_base64`; raises `ValueError`."""
    values = array("f")
    values.frombytes(base64.b64decode(text, validate=True))
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()


def encode_embedding(model: str, vector: Sequence[float]) -> str:
    """A vector with the name of its model: `<model> <base64>`."""
    return f"{model} {to_base64(vector)}"


def decode_embedding(encoded: str, model: str, dimensions: int) -> list[float] | None:
    """The vector, if it is of this model, of this many dimensions and of unit length; else null."""
    named, _, text = encoded.rpartition(" ")
    if named != model:
        return None
    try:
        vector = from_base64(text)
    except ValueError:
        return None
    usable = len(vector) == dimensions and abs(math.hypot(*vector) - 1.0) < LENGTH_TOLERANCE
    return vector if usable else None
