"""Trained heads: what turns an embedding model's vectors into scores of labels. Plain numbers, which run nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from contracts.core.validation import what_is_wrong
from contracts.models.classification import MAX_MODEL_LABELS, LabelName
from inference.errors import FileInvalid

MOST_BYTES = 2 * 1024 * 1024
"""Of a head: 200 labels over 1,024 dimensions are 1.1 MB."""


MOST = 1e9
"""Of a weight or a bias, so that no output of a head is beyond what 32 bits hold: it would be no score."""


class Head(BaseModel):
    """A linear layer over the vectors of one embedding model, whose outputs' softmax is the labels' scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Annotated[tuple[LabelName, ...], Field(min_length=2, max_length=MAX_MODEL_LABELS)]
    embedding_model: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """Whose vectors it was trained on: its name here."""
    embedding_digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """That model's `digest` then: of another one's vectors the head would know nothing."""
    weights: Annotated[str, StringConstraints(min_length=8, max_length=MOST_BYTES)]
    """A row for each label, as base64 of little-endian float32."""
    bias: Annotated[tuple[float, ...], Field(max_length=MAX_MODEL_LABELS)]

    def matrix(self) -> NDArray[np.float32]:
        """The weights: labels by dimensions."""
        numbers = np.frombuffer(base64.b64decode(self.weights, validate=True), dtype="<f4")
        return numbers.reshape(len(self.labels), -1).astype(np.float32)

    def offsets(self) -> NDArray[np.float32]:
        """The bias of each label."""
        return np.array(self.bias, dtype=np.float32)

    @property
    def digest(self) -> str:
        """`sha256:…` of all of it."""
        return f"sha256:{hashlib.sha256(self.model_dump_json().encode()).hexdigest()}"

    @model_validator(mode="after")
    def _is_whole(self) -> Head:
        if self.embedding_model == "default":
            raise ValueError("embedding_model: name the model itself, since the default may be another one later")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("labels: two are alike")
        if len(self.bias) != len(self.labels):
            raise ValueError(f"bias: it needs a number for each of {len(self.labels)} labels, and has {len(self.bias)}")
        try:
            weights = self.matrix()
        except (ValueError, binascii.Error):
            raise ValueError("weights: base64 of little-endian float32 is wanted, a row for each label") from None
        if not ((np.abs(weights) <= MOST).all() and all(abs(number) <= MOST for number in self.bias)):
            raise ValueError("weights, bias: all numbers must be finite, and from -1e9 to 1e9")
        return self


def read_head(path: Path) -> Head:
    """The head in a JSON file; raises `FileInvalid` with what is wrong, or `OSError`. Blocks."""
    if path.stat().st_size > MOST_BYTES:
        raise FileInvalid(f"{path.name} is longer than {MOST_BYTES} bytes, so that it is no head")
    try:
        return Head.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FileInvalid(f"{path.name} is no head: {where} {what_is_wrong(first)}") from None
