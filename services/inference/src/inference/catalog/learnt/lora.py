"""Small matrices beside the layers of a model's encoder (LoRA). With those of an embedding model it reads questions,
and passages stay as the model gives them; with those of a reading model, pairs of both. Plain numbers, which run
nothing.

A layer's weight W becomes W + up · down, once, when the encoder is loaded.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from contracts.models.tuning import MOST_MATRICES_BYTES

MOST_LAYERS = 1000
MOST = 1e4
"""Of a number: far below what half precision holds."""
Matrix = Annotated[str, StringConstraints(min_length=4, max_length=MOST_MATRICES_BYTES)]


class Beside(BaseModel):
    """One layer's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    down: Matrix
    """Rank by the layer's inputs, as base64 of little-endian float16, row by row."""
    up: Matrix
    """The layer's outputs by rank."""

    def change(self, rank: int) -> NDArray[np.float32]:
        """What is added to the layer's weight; raises `ValueError` where they do not fit together."""
        down, up = (
            np.frombuffer(base64.b64decode(text, validate=True), dtype="<f2").astype(np.float32)
            for text in (self.down, self.up)
        )
        if not ((np.abs(down) <= MOST).all() and (np.abs(up) <= MOST).all()):
            raise ValueError("no number")
        changed: NDArray[np.float32] = up.reshape(-1, rank) @ down.reshape(rank, -1)
        return changed


Rank = Annotated[int, Field(ge=1, le=64)]
ByLayer = Annotated[
    Mapping[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]{1,200}$")], Beside],
    Field(min_length=1, max_length=MOST_LAYERS),
]
"""By the name of the layer in the encoder."""


class Matrices(BaseModel):
    """What is learnt beside the layers of an encoder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: Rank
    matrices: ByLayer

    @model_validator(mode="after")
    def _is_whole(self) -> Matrices:
        _check(self)
        return self


class Lora(BaseModel):
    """What one collection's questions taught the encoder of one embedding model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embedding_model: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """Whose encoder it was learnt beside, and whose vectors its passages have: the name here."""
    embedding_digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
    """That model's `digest` then."""
    dimensions: Annotated[int, Field(ge=1, le=16_384)]
    rank: Rank
    matrices: ByLayer

    @property
    def digest(self) -> str:
        """`sha256:…` of all of it, with what it was learnt on."""
        return f"sha256:{hashlib.sha256(self.model_dump_json().encode()).hexdigest()}"

    @model_validator(mode="after")
    def _is_whole(self) -> Lora:
        if self.embedding_model == "default":
            raise ValueError("embedding_model: name the model itself, since the default may be another one later")
        _check(self)
        return self


def _check(learnt: Matrices | Lora) -> None:
    """Raise `ValueError` where they are too many, or none."""
    if sum(len(one.down) + len(one.up) for one in learnt.matrices.values()) > MOST_MATRICES_BYTES:
        raise ValueError(f"matrices: they are longer than {MOST_MATRICES_BYTES:,} bytes. Choose a smaller rank")
    for name, one in learnt.matrices.items():
        try:
            one.change(learnt.rank)
        except (ValueError, binascii.Error):
            raise ValueError(
                f"matrices.{name}: base64 of little-endian float16 from -1e4 to 1e4 is wanted, rank × inputs and "
                "outputs × rank of them"
            ) from None
