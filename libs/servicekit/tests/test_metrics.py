from __future__ import annotations

import shutil
from pathlib import Path

from prometheus_client import REGISTRY

from servicekit.metrics import watch_disk


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
