"""Vectors of texts in a job's folder, which another attempt goes on from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.models.catalog import InputType, ModelInfo
from lab.tuning.errors import VectorsUnfit

if TYPE_CHECKING:
    from numpy.typing import NDArray

VECTORS, KEY = "vectors.f32", "vectors.key"


def name_of(model: ModelInfo, texts: Mapping[InputType, Sequence[str]]) -> str:
    """Of the vectors of these texts."""
    seen = hashlib.sha256(f"{model.id} {model.digest}".encode())
    for kind, some in texts.items():
        for text in some:
            seen.update(f"{kind} {len(text)} {text}".encode())
    return seen.hexdigest()


def begin(folder: Path, name: str, dimensions: int) -> int:
    """How many vectors of this name are there; what is torn, or of another name, is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    file, key = folder / VECTORS, folder / KEY
    if not (key.is_file() and file.is_file() and key.read_text() == name):
        file.write_bytes(b"")
        key.write_text(name)
    rows = file.stat().st_size // (4 * dimensions)
    with file.open("r+b") as written:
        written.truncate(rows * 4 * dimensions)
    return rows


def unit_rows(rows: NDArray[Any], model: ModelInfo) -> bytes:
    """At unit length, as a collection has them, as float32; raises `VectorsUnfit`."""
    import numpy as np

    if rows.ndim != 2 or rows.shape[1] != model.dimensions:
        raise VectorsUnfit(model.id, f"they are said to have {model.dimensions} numbers, and have others")
    if not np.isfinite(rows).all():
        raise VectorsUnfit(model.id, "some hold what is no number. Have the operator look after the model")
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return bytes(unit.astype("<f4").tobytes())


def append(file: Path, rows: bytes) -> None:
    """Behind those that are there."""
    with file.open("ab") as written:
        written.write(rows)
