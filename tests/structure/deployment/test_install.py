"""deploy/install.py, which runs before anything is installed: it says what it needs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[3] / "deploy" / "install.py"


def _install() -> Any:
    spec = importlib.util.spec_from_file_location("install", FILE)
    assert spec is not None
    assert spec.loader is not None
    install = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(install)
    return install


def test_after_setting_up_for_developers_setting_up_has_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would take packages away and put them back under whatever runs with them."""
    install = _install()
    (tmp_path / "python").touch()
    steps: list[str] = []
    for name, value in {"VENV": tmp_path, "BIN": tmp_path, "step": lambda name, _: steps.append(name)}.items():
        monkeypatch.setattr(install, name, value)
    monkeypatch.setattr(install, "_look_for_llama", lambda: None)
    for arguments, installs in (["--dev"], True), (["--dev"], False), ([], False):
        steps.clear()
        monkeypatch.setattr(sys, "argv", ["install.py", *arguments])
        assert install.main() == 0
        assert bool(steps) is installs, arguments


def test_an_older_python_is_refused_before_anything_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install = _install()
    older = SimpleNamespace(version_info=(3, 10, 14), version="3.10.14 (main)", stderr=sys.stderr, argv=["install.py"])
    monkeypatch.setattr(install, "sys", older)
    monkeypatch.setattr(install, "_stamp_matches", lambda _lock: pytest.fail("it began to install"))
    assert install.main() == 2
    assert capsys.readouterr().err == "Groundwork needs Python 3.11 or newer; this is 3.10.14.\n"
