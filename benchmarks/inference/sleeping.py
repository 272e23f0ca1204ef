"""The packaged chat model asleep: memory of inference with and without it, and how long the first token then takes.

Usage: make bench-sleeping [ROUNDS=5]

Inference alone with the models that ship, of which `smollm2` sleeps after `IDLE` seconds here. Each round asks it
awake, waits until it sleeps, and asks it again.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp
import psutil
import yaml

from benchmarks.home import ROOT, write_result
from benchmarks.inference.conversations import CALL_SECONDS, ask_story, inference_alone, resident_bytes

ROUNDS = int(os.environ.get("ROUNDS", "5"))
IDLE = 3
TOKENS = 32
ASLEEP = 'groundwork_inference_asleep{model="smollm2"} 1.0'
DEADLINE_SECONDS = 120.0


@dataclass
class Measured:
    """Seconds and megabytes, a value a round."""

    awake: list[float] = field(default_factory=list)
    woken: list[float] = field(default_factory=list)
    first_awake: list[float] = field(default_factory=list)
    first_woken: list[float] = field(default_factory=list)
    asleep: list[float] = field(default_factory=list)


def main() -> None:
    """Measure, print, keep."""
    measured = Measured()
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder:
        models = _models_file(Path(folder))
        with inference_alone(ROOT, models) as (process, url, token):
            started = resident_bytes(process) / 1e6
            asyncio.run(_rounds(process, url, token, measured))
    figures = {
        "memory of all processes of inference, MB: started, nobody has asked": round(started),
        "awake, after an answer": round(median(measured.awake)),
        "asleep": round(median(measured.asleep)),
        "woken, after an answer": round(median(measured.woken)),
        "first token, s: awake": round(median(measured.first_awake), 3),
        "first token, s: woken": round(median(measured.first_woken), 3),
        "first token, s: woken, slowest": round(max(measured.first_woken), 3),
    }
    for what, value in figures.items():
        print(f"{what:<70} {value}")
    write_result("inference_sleeping", figures)


def _models_file(folder: Path) -> Path:
    declared = yaml.safe_load((ROOT / "deploy" / "config" / "models.yaml").read_text(encoding="utf-8"))
    for model in declared["models"]:
        if model["name"] == "smollm2":
            model["llamacpp"] = {"idle_seconds": IDLE}
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump(declared), encoding="utf-8")
    return file


async def _rounds(process: psutil.Process, url: str, token: str, measured: Measured) -> None:
    timeout = aiohttp.ClientTimeout(CALL_SECONDS)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(url, headers=headers, timeout=timeout) as session:
        await ask_story(session, "A river", TOKENS)
        for number in range(ROUNDS):
            _, first = await ask_story(session, f"{number + 2} lighthouses", TOKENS)
            measured.first_awake.append(first)
            measured.awake.append(resident_bytes(process) / 1e6)
            await _asleep(session)
            measured.asleep.append(resident_bytes(process) / 1e6)
            _, first = await ask_story(session, f"{number + 2} ships", TOKENS)
            measured.first_woken.append(first)
            measured.woken.append(resident_bytes(process) / 1e6)


async def _asleep(session: aiohttp.ClientSession) -> None:
    """Return once the model sleeps."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        async with session.get("/metrics") as answer:
            if ASLEEP in await answer.text():
                return
        await asyncio.sleep(0.2)
    raise RuntimeError(f"it does not sleep within {DEADLINE_SECONDS:.0f} s")


if __name__ == "__main__":
    main()
