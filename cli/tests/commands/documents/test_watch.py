from __future__ import annotations

from pathlib import Path

import pytest
from cli.tests.terminal import sentence


@pytest.mark.parametrize("arguments", [["a", "b"], ["missing"]])
def test_a_watch_needs_one_folder(tmp_path: Path, arguments: list[str]) -> None:
    assert "folder" in sentence("ingest", "--watch", "-c", "c", *(str(tmp_path / each) for each in arguments))
