from __future__ import annotations

from pathlib import Path

from cli.tests.terminal import sentence


def test_the_homes_key_is_never_sent_to_a_named_server() -> None:
    assert "Give --api-key" in sentence("--base-url", "http://elsewhere.test", "search", "x", "-c", "c")


def test_a_key_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "admin.key").write_bytes(b"\xff\xfe")
    assert "Put the key back" in sentence("--home", str(tmp_path), "key")
