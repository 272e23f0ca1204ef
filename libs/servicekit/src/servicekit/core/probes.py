"""Probes of what a service depends on, and the readiness that they add up to."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from contracts.core.health import PartState
from servicekit.core.errors import DiskFull, ServiceError, is_disk_full

log = structlog.get_logger(__name__)
PROBE_SECONDS = 3.0

Probe = Callable[[], Awaitable[None]]
"""Exercises one real dependency; returns if it works, raises `Degraded` if the service does without, else raises."""


class Degraded(Exception):
    """A part that is away, and without which the service still does its job: shown, but no reason to be unready."""


async def run_within(seconds: float, probe: Probe) -> None:
    """Run a probe; raises `TimeoutError` when it takes longer.

    In a task of its own: `asyncio.timeout` leaves a cancellation behind when the probe fails at the very moment that
    the time is up (until Python 3.13), which then ends whoever asked, without an answer.
    """
    task = asyncio.ensure_future(probe())
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise TimeoutError
        await task
    finally:
        task.cancel()


async def run_probes(probes: Mapping[str, Probe]) -> dict[str, PartState]:
    """Run all probes at once, each for at most `PROBE_SECONDS`."""
    states = await asyncio.gather(*(_run_probe(name, probe) for name, probe in probes.items()))
    return dict(zip(probes, states, strict=True))


async def _run_probe(name: str, probe: Probe) -> PartState:
    started, ok, detail = time.perf_counter(), False, ""
    try:
        await run_within(PROBE_SECONDS, probe)
        ok = True
    except TimeoutError:
        detail = f"no answer within {PROBE_SECONDS:g} s"
    except Degraded as fact:
        ok, detail = True, str(fact)
    except Exception as error:  # noqa: BLE001  # a probe may fail in any way; the reason is for the log, not for the public
        ok, detail = _failure(name, error)
    return PartState(ok=ok, detail=detail, ms=round((time.perf_counter() - started) * 1000, 1))


def _failure(name: str, error: Exception) -> tuple[bool, str]:
    """Whether a part does its job all the same, and what to say of it. On a full disk reading goes on."""
    if is_disk_full(error):
        log.warning("no room for a probe", part=name, error=repr(error)[:300])
        return True, DiskFull().message
    if isinstance(error, ServiceError):
        log.warning("part is not ready", part=name, error=error.message)
        return False, error.message
    log.warning("probe failed", part=name, error=repr(error))
    return False, "not working; see this service's log"


class Readiness:
    """The parts' states, asked for once for all who want to know meanwhile, and remembered for some seconds.

    Whoever may ask as often as they like must not be able to load what is asked.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._asked: asyncio.Task[dict[str, PartState]] | None = None
        self._good_until = -math.inf

    async def parts(self, probes: Mapping[str, Probe]) -> dict[str, PartState]:
        """The states, at most so old."""
        if self._asked is None or (self._asked.done() and time.monotonic() >= self._good_until):
            self._asked = asyncio.create_task(self._ask(probes))
        return await asyncio.shield(self._asked)

    async def _ask(self, probes: Mapping[str, Probe]) -> dict[str, PartState]:
        try:
            return await run_probes(probes)
        finally:
            self._good_until = time.monotonic() + self._seconds
