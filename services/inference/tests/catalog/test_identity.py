from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from services.inference.tests.corrections import correction
from services.inference.tests.heads import head
from services.inference.tests.projections import projection

from inference.catalog.identity import Digests, Identity, identity_of
from inference.catalog.learnt.corrections import Correction
from inference.catalog.learnt.projections import Projection
from inference.catalog.model_folders import ModelSources
from inference.catalog.models_file import Model


def write_header(path: Path, fields: dict[str, str | int]) -> Path:
    """A GGUF file of metadata alone."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def value(of: str | int) -> bytes:
        return struct.pack("<I", 8) + text(of) if isinstance(of, str) else struct.pack("<II", 4, of)

    written = b"".join(text(name) + value(of) for name, of in fields.items())
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(fields)) + written)
    return path


def model(engine: str, source: dict[str, Any], **more: Any) -> Model:
    kinds = {"llamacpp": "chat", "sentence-transformers": "rerank", "openai": "chat", "head": "classification"}
    kinds |= {"projection": "embedding", "correction": "reading"}
    declared = {"name": "m", "kind": kinds[engine], "engine": engine, "context_length": 64, "max_input_tokens": 64}
    return Model.model_validate({**declared, "source": source, **more})


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def digests(tmp_path: Path) -> Digests:
    return Digests(tmp_path / "digests.json")


def test_a_gguf_file_is_known_by_its_digest_and_how_it_is_quantized(tmp_path: Path, digests: Digests) -> None:
    file = write_header(tmp_path / "m.gguf", {"general.architecture": "llama", "general.file_type": 15})
    found = identity_of(model("llamacpp", {"path": str(file)}), ModelSources(tmp_path), digests)
    assert found == Identity(f"sha256:{sha256(file)}", None, "Q4_K_M")


def test_an_adapter_makes_another_model(tmp_path: Path, digests: Digests) -> None:
    file = write_header(tmp_path / "m.gguf", {"general.architecture": "llama"})
    adapter = write_header(tmp_path / "lora.gguf", {"general.architecture": "llama", "general.type": "adapter"})
    options = {"adapters": [{"source": {"path": str(adapter)}}]}
    sources = ModelSources(tmp_path)
    plain = identity_of(model("llamacpp", {"path": str(file)}), sources, digests)
    tuned = identity_of(model("llamacpp", {"path": str(file)}, llamacpp=options), sources, digests)
    assert plain.digest != tuned.digest


def test_a_folder_is_known_by_all_of_its_files(tmp_path: Path, digests: Digests) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    declared = model("sentence-transformers", {"path": str(folder)})
    before = identity_of(declared, ModelSources(tmp_path), digests)
    assert identity_of(declared, ModelSources(tmp_path), Digests(tmp_path / "other.json")) == before
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert identity_of(declared, ModelSources(tmp_path), digests).digest != before.digest


def test_a_server_does_not_say(tmp_path: Path, digests: Digests) -> None:
    declared = model("openai", {"base_url": "http://x/v1", "upstream_model": "m"})
    assert identity_of(declared, ModelSources(tmp_path), digests) == Identity()


def test_a_digest_is_computed_once_for_a_file_as_it_is_also_after_a_restart(
    tmp_path: Path, digests: Digests, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    first = digests.of(file)
    computed: list[str] = []
    real = hashlib.file_digest

    def count(content: Any, name: str) -> Any:
        computed.append(name)
        return real(content, name)

    monkeypatch.setattr(hashlib, "file_digest", count)
    assert Digests(tmp_path / "digests.json").of(file) == first == sha256(file)
    assert computed == []
    file.write_bytes(b"other")
    assert digests.of(file) == sha256(file)
    assert len(computed) == 1
    (tmp_path / "digests.json").write_text("nothing that is JSON")
    assert Digests(tmp_path / "digests.json").of(file) == sha256(file)


def test_a_correction_s_digest_is_that_of_its_numbers(tmp_path: Path, digests: Digests) -> None:
    source, sources = {"correction": correction()}, ModelSources(tmp_path)
    found = identity_of(model("correction", source), sources, digests)
    assert found == Identity(Correction.model_validate(correction()).digest)


def test_a_projection_s_digest_is_that_of_its_numbers(tmp_path: Path, digests: Digests) -> None:
    source, sources = {"projection": projection()}, ModelSources(tmp_path)
    found = identity_of(model("projection", source, dimensions=2), sources, digests)
    assert found == Identity(Projection.model_validate(projection()).digest)


def test_a_head_s_digest_is_that_of_its_numbers_or_of_its_file(tmp_path: Path, digests: Digests) -> None:
    (file := tmp_path / "head.json").write_text(json.dumps(head()))
    inside = identity_of(model("head", {"head": head()}), ModelSources(tmp_path), digests)
    other = identity_of(model("head", {"head": head(bias=[1.0, 1.0])}), ModelSources(tmp_path), digests)
    assert inside.digest != other.digest
    beside = identity_of(model("head", {"path": str(file)}), ModelSources(tmp_path), digests)
    assert beside == Identity(f"sha256:{sha256(file)}")
