"""An adapter in GGUF becomes one in PEFT's form, or nothing is left; what is in it is compared with the trainer's
matrices in `tests/integration/inference/test_vllm_adapters.py`."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from inference.catalog.gguf_header import read_tensors
from inference.errors import CannotLoad, FileInvalid, FileTruncated
from inference.tuned.peft import delete_peft, write_peft


def write(file: Path, name: str = "blk.0.attn_q.weight", kind: type = np.float32, *, heads: bool = True) -> Path:
    writer = GGUFWriter(file, "llama")
    writer.add_float32("adapter.lora.alpha", 8.0)
    if heads:
        writer.add_head_count(2)
        writer.add_head_count_kv(1)
    writer.add_tensor(f"{name}.lora_a", np.arange(12, dtype=kind).reshape(2, 6))
    writer.add_tensor(f"{name}.lora_b", np.arange(16, dtype=kind).reshape(8, 2))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_tensors_are_read_as_they_were_written(tmp_path: Path) -> None:
    header, tensors = read_tensors(write(tmp_path / "a.gguf"))
    assert header.fields["adapter.lora.alpha"] == 8.0
    np.testing.assert_array_equal(tensors["blk.0.attn_q.weight.lora_a"], np.arange(12).reshape(2, 6))
    np.testing.assert_array_equal(tensors["blk.0.attn_q.weight.lora_b"], np.arange(16).reshape(8, 2))


def test_a_file_that_was_cut_off_or_has_other_numbers_is_refused(tmp_path: Path) -> None:
    content = write(tmp_path / "a.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(content[:-4])
    with pytest.raises(FileTruncated):
        read_tensors(tmp_path / "cut.gguf")
    with pytest.raises(FileInvalid, match="float32"):
        read_tensors(write(tmp_path / "b.gguf", kind=np.float16))


@pytest.fixture
def private() -> Iterator[None]:
    """What is written is its writer's alone, unless it says otherwise."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("private")
def test_the_folder_can_be_read_by_another_user_and_is_written_once(tmp_path: Path) -> None:
    adapter, folder = write(tmp_path / "a.gguf"), tmp_path / "shared" / "a"
    write_peft(adapter, folder)
    assert {file.name for file in folder.iterdir()} == {"adapter_model.safetensors", "adapter_config.json"}
    assert all(file.stat().st_mode & stat.S_IROTH for file in folder.iterdir())
    assert all(each.stat().st_mode & stat.S_IXOTH for each in (folder, folder.parent))
    before = folder.stat().st_mtime_ns
    write_peft(adapter, folder)
    assert folder.stat().st_mtime_ns == before
    assert [each.name for each in folder.parent.iterdir()] == ["a"]


@pytest.mark.parametrize("spoilt", ["adapter_model.safetensors", "adapter_config.json"])
@pytest.mark.parametrize("kept", [None, 0, 60])
def test_a_folder_that_is_not_whole_is_written_again(tmp_path: Path, spoilt: str, kept: int | None) -> None:
    adapter, folder = write(tmp_path / "a.gguf"), tmp_path / "shared" / "a"
    write_peft(adapter, folder)
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    if kept is None:
        (folder / spoilt).unlink()
    else:
        (folder / spoilt).write_bytes(whole[spoilt][:kept])
    write_peft(adapter, folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == whole
    assert [each.name for each in folder.parent.iterdir()] == ["a"]


def test_all_is_on_the_disk_before_the_folder_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    sync, rename = os.fsync, Path.rename

    def synced(opened: int) -> None:
        done.append(Path(f"/proc/self/fd/{opened}").readlink().suffix or "folder")
        sync(opened)

    def renamed(self: Path, target: Path) -> Path:
        done.append("rename")
        return rename(self, target)

    adapter = write(tmp_path / "a.gguf")
    (tmp_path / "shared").mkdir()
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    write_peft(adapter, tmp_path / "shared" / "a")
    assert done[done.index(".safetensors") :] == [".safetensors", ".json", "folder", "rename", "folder"]


def test_a_folder_is_set_aside_before_it_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, seen = tmp_path / "shared" / "a", list[bool]()
    write_peft(write(tmp_path / "a.gguf"), folder)
    remove = shutil.rmtree

    def removed(path: Path, *, ignore_errors: bool) -> None:
        seen.append(folder.exists())
        remove(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", removed)
    delete_peft(folder)
    delete_peft(folder)
    assert (seen, list(folder.parent.iterdir())) == ([False], [])


@pytest.mark.parametrize("broken", [{"name": "blk.0.attn_norm.weight"}, {"heads": False}], ids=str)
def test_what_is_no_adapter_of_a_llama_model_leaves_nothing(tmp_path: Path, broken: dict[str, object]) -> None:
    adapter = write(tmp_path / "a.gguf", **broken)  # type: ignore[arg-type]
    with pytest.raises(FileInvalid, match="Publish that job again"):
        write_peft(adapter, tmp_path / "shared" / "a")
    assert not list((tmp_path / "shared").iterdir())


def test_a_place_that_can_t_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("a file")
    with pytest.raises(CannotLoad, match="INFERENCE_VLLM_ADAPTERS_DIR"):
        write_peft(write(tmp_path / "a.gguf"), tmp_path / "shared" / "a")
