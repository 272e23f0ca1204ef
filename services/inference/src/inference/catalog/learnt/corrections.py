"""Corrections: what is added to a reading model's log odds that a passage answers, by what it has seen in both.

With the model's log odds z and its features x, those are z · scale + x · weights + offset. Both may be those of its
encoder with something learnt beside its layers (`lora`). Plain numbers, which run nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from inference.catalog.learnt.lora import Matrices

MOST_BYTES = 64 * 1024
"""Of the weights as base64: 12,288 features."""
MOST = 1e6
"""Of a number."""
Number = Annotated[float, Field(ge=-MOST, le=MOST)]


class Correction(BaseModel):
    """What one collection's questions taught about the chances of one reading model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reading_model: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """Whose features it was learnt on: the name here."""
    reading_digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """That model's `digest` then."""
    weights: Annotated[str, StringConstraints(min_length=4, max_length=MOST_BYTES)]
    """One for each feature, as base64 of little-endian float32."""
    scale: Number = 1.0
    offset: Number = 0.0
    lora: Matrices | None = None
    """What was learnt beside the layers of that model's encoder, which has read what is corrected."""

    def vector(self) -> NDArray[np.float32]:
        """The weights; raises `ValueError`."""
        return np.frombuffer(base64.b64decode(self.weights, validate=True), dtype="<f4").astype(np.float32)

    @property
    def digest(self) -> str:
        """`sha256:…` of all of it, with what it was learnt on."""
        without = {"lora"} if self.lora is None else None  # as before there was one
        return f"sha256:{hashlib.sha256(self.model_dump_json(exclude=without).encode()).hexdigest()}"

    @model_validator(mode="after")
    def _is_whole(self) -> Correction:
        if self.reading_model == "default":
            raise ValueError("reading_model: name the model itself, since the default may be another one later")
        if self.lora is not None and self.reading_digest is None:
            raise ValueError("reading_digest: matrices are of the layers of one encoder alone. Give its digest")
        try:
            weights = self.vector()
        except (ValueError, binascii.Error):
            raise ValueError("weights: base64 of little-endian float32 is wanted") from None
        if not (np.abs(weights) <= MOST).all():
            raise ValueError("weights: all numbers must be finite, and from -1e6 to 1e6")
        return self
