"""What a job is to go on from: whole, or the one before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from servicekit.core.durable import to_disk

NAME = "checkpoint.pt"


@dataclass(slots=True)
class State:
    """After `step` steps."""

    step: int = 0
    tokens: int = 0
    before: dict[str, float] = field(default_factory=dict)
    """Loss of each held-out example before anything was learnt."""
    general_before: dict[str, float] = field(default_factory=dict)
    """The same of the general ones."""
    seconds: float = 0.0
    loss: float = 0.0
    """Of the last step."""
    reference: dict[str, list[float]] = field(default_factory=dict)
    """Before anything was learnt, by its key: of each pair the log-probabilities of its two answers, of a question the
    log odds of its passages."""
    data: str = ""
    """Digest of the examples that it learnt from and is judged by."""


def save(folder: Path, state: State, parts: Mapping[str, Any]) -> None:
    """Write it beside its place, have the disk take it, and put it there. Raises `OSError` where the disk is full."""
    part = folder / f"{NAME}.part"
    try:
        with part.open("wb") as file:
            torch.save({"state": {name: getattr(state, name) for name in State.__slots__}, **parts}, file)
            to_disk(file)
        part.replace(folder / NAME)
    except RuntimeError as error:  # torch's own way to say that a write failed
        raise OSError(*_reason(folder, error)) from error
    finally:
        part.unlink(missing_ok=True)


def _reason(folder: Path, error: RuntimeError) -> tuple[int, str]:
    """Where there is no room at all, that is why."""
    room = os.statvfs(folder)
    full = room.f_bavail * room.f_frsize < 1 << 20
    return (28 if full else 5), str(error)


def load(folder: Path) -> tuple[State, dict[str, Any]] | None:
    """The last one that is whole, wherever it was learnt; none at the beginning."""
    path = folder / NAME
    if not path.is_file():
        return None
    found = torch.load(path, weights_only=True, map_location="cpu")
    return State(**found.pop("state")), found
