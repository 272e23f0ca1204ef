"""deploy/install.py, which runs before anything is installed: it says what it needs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

FILE = Path(__file__).resolve().parents[2] / "deploy" / "install.py"


def test_an_older_python_is_refused_before_anything_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("install", FILE)
    assert spec is not None
    assert spec.loader is not None
    install = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(install)
    older = SimpleNamespace(version_info=(3, 10, 14), version="3.10.14 (main)", stderr=sys.stderr, argv=["install.py"])
    monkeypatch.setattr(install, "sys", older)
    monkeypatch.setattr(install, "_stamp_matches", lambda _lock: pytest.fail("it began to install"))
    assert install.main() == 2
    assert capsys.readouterr().err == "Groundwork needs Python 3.11 or newer; this is 3.10.14.\n"
