"""Kills the workers of any kind of job at random while its jobs are at work, until all have ended."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parents[3]
STOPPING_SECONDS = 60.0
GENTLE = 0.2
"""The share of ends that are a SIGTERM."""


class Workload(Protocol):
    """A kind of job under test."""

    def command(self) -> list[str]:
        """A Python module with its arguments, which is a worker process."""
        ...

    async def disturb(self, chance: random.Random) -> None:
        """What callers do meanwhile: add jobs, cancel some."""
        ...

    async def live(self) -> int:
        """How many jobs are not over."""
        ...

    async def at_work(self) -> set[int]:
        """The ids of processes that hold a job."""
        ...


class Workers:
    """So many worker processes, of which one that ended is started anew."""

    def __init__(self, workload: Workload, count: int, log: Path) -> None:
        self._workload = workload
        self._log = log.open("ab")
        self._processes = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *self._workload.command()]
        return subprocess.Popen(command, cwd=ROOT, stdout=self._log, stderr=self._log, env=dict(os.environ))

    @property
    def ids(self) -> set[int]:
        """Of the processes."""
        return {process.pid for process in self._processes}

    def end(self, pid: int, chance: random.Random) -> None:
        """Kill one, or now and then stop it, and start another."""
        at = next(at for at, process in enumerate(self._processes) if process.pid == pid)
        process = self._processes[at]
        if chance.random() < GENTLE:
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOPPING_SECONDS) == 0
        else:
            process.kill()
            process.wait()
        self._processes[at] = self._start()

    def close(self) -> None:
        """End all."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._log.close()


async def kill_workers(
    workload: Workload, folder: Path, *, workers: int, kills: int, seed: int, seconds: float
) -> None:
    """Until so many were ended at work and no job is live; fails when that takes longer than `seconds`."""
    chance, log = random.Random(seed), folder / "workers.log"
    running = Workers(workload, workers, log)
    until = time.monotonic() + seconds
    try:
        for _ in range(kills):
            await workload.disturb(chance)
            await asyncio.sleep(chance.uniform(0.0, 0.3))
            while not (busy := sorted(await workload.at_work() & running.ids)):
                assert time.monotonic() < until, f"no worker takes a job; {log.read_text()[-3000:]}"
                await asyncio.sleep(0.05)
            await asyncio.to_thread(running.end, chance.choice(busy), chance)
        while left := await workload.live():
            assert time.monotonic() < until, f"{left} jobs are stuck; {log.read_text()[-3000:]}"
            await asyncio.sleep(0.2)
    finally:
        await asyncio.to_thread(running.close)
