"""Projections: what moves the vectors of questions, and leaves those of passages as the embedding model gives them.

A question's vector x becomes x + (x · down) · up, at unit length again. Plain numbers, which run nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MOST_BYTES = 1024 * 1024
"""Of one matrix as base64: rank 64 over 3,072 dimensions."""
MOST_RANK = 256
MOST = 1e4
"""Of a number: vectors have the length 1, so that nothing comes near what 32 bits hold."""
Matrix = Annotated[str, StringConstraints(min_length=4, max_length=MOST_BYTES)]


class Projection(BaseModel):
    """A change of low rank to the questions of one embedding model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embedding_model: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """Whose vectors it was learnt on, and whose vectors its passages have: the name here."""
    embedding_digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """That model's `digest` then."""
    dimensions: Annotated[int, Field(ge=1, le=16_384)]
    down: Matrix
    """Dimensions by rank, as base64 of little-endian float32, row by row."""
    up: Matrix
    """Rank by dimensions."""

    def matrices(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`down` and `up`; raises `ValueError` where they do not fit together."""
        down, up = (
            np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
            for text in (self.down, self.up)
        )
        return down.reshape(self.dimensions, -1), up.reshape(-1, self.dimensions)

    @property
    def digest(self) -> str:
        """`sha256:…` of all of it, with what it was learnt on."""
        return f"sha256:{hashlib.sha256(self.model_dump_json().encode()).hexdigest()}"

    @model_validator(mode="after")
    def _is_whole(self) -> Projection:
        if self.embedding_model == "default":
            raise ValueError("embedding_model: name the model itself, since the default may be another one later")
        try:
            down, up = self.matrices()
        except (ValueError, binascii.Error):
            down = up = np.zeros((0, 0), np.float32)
        if not 0 < down.shape[-1] == up.shape[0] <= MOST_RANK:
            raise ValueError(
                "down, up: base64 of little-endian float32 is wanted, "
                f"dimensions × rank and rank × dimensions of them, with a rank up to {MOST_RANK}"
            )
        if not ((np.abs(down) <= MOST).all() and (np.abs(up) <= MOST).all()):
            raise ValueError("down, up: all numbers must be finite, and from -1e4 to 1e4")
        return self
