from __future__ import annotations

from pathlib import Path

import pytest

from inference.engines.memory import available_bytes, check_memory
from inference.errors import ModelTooLarge


def test_what_is_free_is_the_least_of_machine_and_container(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8000 kB\nMemAvailable: 4000 kB\n")
    assert available_bytes(meminfo, tmp_path) == 4000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1500000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 500000\n")
    assert available_bytes(meminfo, tmp_path) == 2_000_000
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 500000\nactive_file 300000\n")
    assert available_bytes(meminfo, tmp_path) == 2_000_000
    assert available_bytes(meminfo, tmp_path, mapped=True) == 2_300_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes(meminfo, tmp_path) == 4000 * 1024
    assert available_bytes(tmp_path / "none", tmp_path / "none") is None


def test_a_model_that_is_too_large_says_by_how_much_and_what_to_do() -> None:
    with pytest.raises(ModelTooLarge, match=r"m needs about 9 MB and 5 MB are free\. Take a smaller one$"):
        check_memory("m", 9_000_000, 5_000_000, "Take a smaller one")
    check_memory("m", 9_000_000, 9_000_000, "")
    check_memory("m", 9_000_000, None, "")
