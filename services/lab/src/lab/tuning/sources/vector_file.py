"""Vectors of texts in a job's folder, which another attempt goes on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.models.catalog import InputType, ModelInfo
from lab.tuning.errors import VectorsUnfit
from servicekit.core.durable import to_disk

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


@dataclass(frozen=True, slots=True)
class Read:
    """What is in the file, and what it took to have it there."""

    name: str
    rows: int = 0
    tokens: int = 0
    """That were read for these vectors, and for those of other texts before."""
    cut: int = 0
    """Texts that are longer than the model reads."""


def begin(folder: Path, name: str, dimensions: int, known_tokens: int) -> Read:
    """What is there of the vectors of this name; what is torn, or of another name, is removed. `known_tokens` were read
    for what an earlier version left, which kept no count."""
    folder.mkdir(parents=True, exist_ok=True)
    file, found = folder / VECTORS, _noted(folder, dimensions, known_tokens)
    if found.name != name or not file.is_file():
        file.write_bytes(b"")
        found = Read(name, tokens=found.tokens)
    found = replace(found, rows=min(found.rows, file.stat().st_size // (4 * dimensions)))
    with file.open("r+b") as written:
        written.truncate(found.rows * 4 * dimensions)
    note(folder, found)
    return found


def _noted(folder: Path, dimensions: int, known_tokens: int) -> Read:
    key, file = folder / KEY, folder / VECTORS
    if not key.is_file():
        return Read("")
    text = key.read_text(encoding="utf-8")
    if text.startswith("{"):
        return Read(**json.loads(text))
    rows = file.stat().st_size // (4 * dimensions) if file.is_file() else 0
    return Read(text, rows, known_tokens)


def note(folder: Path, read: Read) -> None:
    """Have it known to another attempt: what was read is counted once, whatever ends this process."""
    part = folder / f"{KEY}.part"
    part.write_text(json.dumps(asdict(read)), encoding="utf-8")
    part.replace(folder / KEY)


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
    """Behind those that are there; on the disk before any note says so."""
    with file.open("ab") as written:
        written.write(rows)
        to_disk(written)
