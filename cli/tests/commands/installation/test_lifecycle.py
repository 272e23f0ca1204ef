from __future__ import annotations

from pathlib import Path

from cli.tests.terminal import output, sentence


def test_down_without_anything_running_is_no_error() -> None:
    assert "Nothing runs in" in output("down")


def test_a_home_that_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "File exists" in sentence("--home", str(tmp_path / "file"), "up")
