"""What methods have in common: the process that learns, its job and its result as files, and what a model is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from contracts.improvement.tuning import EmbeddingMethod, FineTuningCreate, ReadingMethod
from contracts.models.catalog import ModelInfo
from lab.tuning.bases import DISK_FULL
from lab.tuning.child import run_child
from lab.tuning.errors import HyperparametersUnfit, LossNotFinite
from lab.tuning.method import Work
from servicekit.core.errors import is_disk_full

MODULE = "lab.training"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job's process may use."""

    threads: int
    most_tokens: int
    silent_seconds: float
    processes: int = 1
    """Of a chat model's learning, by `torchrun`; `threads` are those of all together."""
    device: str = "auto"
    """Where a chat model learns: `auto`, `cpu` or `cuda`."""


def settings_of(wanted: FineTuningCreate, chosen: EmbeddingMethod | ReadingMethod, l2: float) -> dict[str, Any]:
    """Of a method that learns from a collection; `l2` is what `auto` means. Raises `HyperparametersUnfit`."""
    if wanted.hyperparameters is not None:
        raise HyperparametersUnfit
    said = chosen.hyperparameters.l2
    return {"collection": chosen.collection, "l2": l2 if said == "auto" else said}


async def note_base(work: Work, model: ModelInfo) -> None:
    """Write down what is learnt on; raises where an earlier attempt, or the beginning of this one, had another."""
    await work.report.based_on(model.id, model.digest)


@contextmanager
def disk_watched() -> Iterator[None]:
    """Raise `DISK_FULL` where the disk is."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DISK_FULL from None
        raise


@dataclass(frozen=True, slots=True)
class Listener:
    """Passes on what the process says, whose steps and tokens come behind others."""

    work: Work
    before: int = 0
    tokens: int = 0
    steps: int | None = None
    """Of all together, where the process knows only its own."""

    async def hear(self, said: Mapping[str, Any]) -> None:
        """`alive` is a sign of life, now and then with what was read."""
        report, read = self.work.report, self.tokens + said.get("tokens", 0)
        if said["event"] == "step":
            steps = said["steps"] if self.steps is None else self.steps
            await report.step(self.before + said["step"], steps, read, said["figures"])
        elif said["event"] == "checkpoint":
            await report.checkpoint(self.before + said["step"], said["figures"])
        elif said["event"] == "message":
            await report.say(said["message"])
        elif "tokens" in said:
            await report.read(read)


async def learn(work: Work, limits: Limits, job: Mapping[str, Any], before: int, tokens: int) -> dict[str, Any]:
    """What the process has learnt of a job of `steps`, which come behind `before` others; raises `LossNotFinite`."""
    listener = Listener(work, before, tokens, before + job["steps"])
    await asyncio.to_thread(write_json, work.folder / "job.json", job)
    await run_child(MODULE, work.folder, listener.hear, limits.silent_seconds)
    return await asyncio.to_thread(read_json, work.folder / "result.json")


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """What the process is to do."""
    with file.open("w", encoding="utf-8") as written:
        json.dump(content, written)


def read_json(file: Path) -> dict[str, Any]:
    """What it has left; raises `LossNotFinite`."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse)
    return found


def _refuse(constant: str) -> NoReturn:
    raise LossNotFinite(constant)
