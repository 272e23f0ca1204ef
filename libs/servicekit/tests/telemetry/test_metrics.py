from __future__ import annotations

import shutil
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest

from servicekit.telemetry.metrics import begin_at_zero, watch_disk


def _free(service: str) -> float | None:
    return REGISTRY.get_sample_value("groundwork_disk_free_bytes", {"service": service})


def test_the_disk_of_a_service_s_data_is_read_at_each_scrape(tmp_path: Path) -> None:
    watch_disk("kept", tmp_path)
    free = _free("kept")
    assert free is not None
    assert 0 < free <= shutil.disk_usage(tmp_path).total
    assert (
        REGISTRY.get_sample_value("groundwork_disk_size_bytes", {"service": "kept"})
        == shutil.disk_usage(tmp_path).total
    )


def test_a_folder_that_is_gone_is_no_number_and_one_that_never_was_no_series(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    watch_disk("none", folder)
    assert _free("none") is None
    folder.mkdir()
    watch_disk("gone", folder)
    folder.rmdir()
    free = _free("gone")
    assert free is not None
    assert free != free  # not a number


def test_a_counter_that_began_at_zero_is_scraped_before_its_first_event_and_alone() -> None:
    registry = CollectorRegistry()
    counter = Counter("fruit_total", "Eaten.", ("kind", "size"), registry=registry)
    begin_at_zero(counter, ("apple", "pear"), ("small",))
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    assert lines == ['fruit_total{kind="apple",size="small"} 0.0', 'fruit_total{kind="pear",size="small"} 0.0']
