"""`make bench-soak` tells a process that grows from one that does not, and load is made on loopback alone."""

from __future__ import annotations

import aiohttp
import pytest
from benchmarks.platform.load import saturated
from benchmarks.platform.load_mix import Callers
from benchmarks.platform.soak import by_minute, fitted

MB = 1_000_000
MINUTE = 60.0


def _samples(grow_mb_per_hour: float, warm_up_mb: float = 30.0) -> list[tuple[float, int]]:
    """Half an hour, every two seconds: ten minutes of warming up, then a line with a peak once a minute."""
    found = []
    for at in range(0, 1800, 2):
        warm = min(1.0, at / 500) * warm_up_mb
        peak = 25.0 if at % 60 == 0 else 0.0
        found.append((float(at), int((100 + warm + peak + grow_mb_per_hour * at / 3600) * MB)))
    return found


def test_peaks_and_warming_up_are_flat() -> None:
    found = fitted(_samples(grow_mb_per_hour=0))
    assert found["flat"]
    assert abs(found["mb_per_hour"]) < 0.5
    assert found["most_mb"] == pytest.approx(155, abs=1)


def test_a_slow_leak_is_seen_through_the_peaks() -> None:
    found = fitted(_samples(grow_mb_per_hour=24))
    assert not found["flat"]
    assert found["mb_per_hour"] == pytest.approx(24, abs=1)


def test_a_minute_is_its_median_and_a_process_that_was_away_had_nothing() -> None:
    samples = [(at, {"gateway": int(mb * MB), "worker": 7 * MB}) for at, mb in ((1.0, 90), (30.0, 99), (59.0, 91))]
    samples.append((61.0, {"gateway": 95 * MB}))
    assert by_minute(samples) == {"gateway": [91.0, 95.0], "worker": [7.0, 0.0]}


def test_what_is_used_up_is_named() -> None:
    assert saturated({"retriever": 0.97, "load": 0.1, "idle": 0.9}, {"jobs of ingest": 3.0}).startswith(
        "retriever with 0.97 cores; 3 jobs of ingest"
    )
    assert saturated({"retriever": 0.3, "idle": 1.6}, {"jobs of ingest": 0.0}).startswith("nothing")


async def test_load_is_made_on_loopback_only() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ValueError, match="loopback"):
            Callers("http://groundwork.example.com", "key", session)
