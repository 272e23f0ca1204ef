from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from services.inference.tests.engines.wrappers.engines import FakeEngine
from services.inference.tests.serving.test_served_model import Process

from inference.catalog.hub import Hub
from inference.catalog.identity import Digests, Identity
from inference.catalog.models_file import Model
from inference.catalog.sources import HubSource
from inference.errors import ModelNotReady
from inference.protocol.engines import Engine
from inference.serving.served_model import Declaration, ServedModel
from inference.tuned import weights
from inference.tuned.errors import NotTunable
from inference.tuned.weights import Weights, declared_weights, weights_of

LLAMA = {
    "name": "small",
    "kind": "chat",
    "engine": "llamacpp",
    "source": {"path": "/models/small.gguf"},
    "context_length": 512,
}


def served(weights: Path | None) -> ServedModel[Engine]:
    declaration = Declaration(Model.model_validate(LLAMA))
    return ServedModel(
        declaration, FakeEngine("."), identify=lambda: Identity("sha256:a"), child=Process(weights=weights)
    )


async def test_the_weights_of_a_model_that_is_one_file_are_given_with_their_digest() -> None:
    model = served(Path("/models/small.gguf"))
    with pytest.raises(ModelNotReady):
        await weights_of(model)
    await model.open()
    assert await weights_of(model) == Weights(Path("/models/small.gguf"), "sha256:a")


async def test_a_model_of_several_files_or_of_another_engine_is_not_tunable(declared: Any) -> None:
    model = served(None)
    await model.open()
    with pytest.raises(NotTunable, match="one GGUF file"):
        await weights_of(model)
    other: ServedModel[Engine] = ServedModel(Declaration(Model.model_validate(declared["chat"])), FakeEngine("."))
    await other.open()
    with pytest.raises(NotTunable):
        await weights_of(other)


def on_vllm(**lora: Any) -> Model:
    declared = {
        "name": "big",
        "kind": "chat",
        "engine": "openai",
        "context_length": 512,
        "tokenizer": "/models/tokenizer.json",
        "source": {"base_url": "http://vllm:8000/v1", "upstream_model": "big"},
        "vllm": {"lora": lora} if lora else {},
    }
    return Model.model_validate(declared)


async def test_a_model_on_vllm_is_tuned_on_the_file_that_its_declaration_names(tmp_path: Path) -> None:
    file = tmp_path / "big.gguf"
    model, hub = on_vllm(weights={"path": str(file)}), Hub(tmp_path, allow_downloads=False)
    find = declared_weights(model, hub, Digests(tmp_path / "digests.json"))
    served: ServedModel[Engine] = ServedModel(Declaration(model), FakeEngine("."), learnt_on=find)
    with pytest.raises(ModelNotReady, match=r"there is no file big\.gguf"):
        await weights_of(served)
    file.write_bytes(b"GGUF")
    digest = hashlib.sha256(b"GGUF").hexdigest()
    assert await weights_of(served) == Weights(file, f"sha256:{digest}"), "though vLLM is not there yet"


async def test_a_file_of_another_digest_than_was_declared_is_not_sent(tmp_path: Path) -> None:
    file = tmp_path / "big.gguf"
    file.write_bytes(b"GGUF")
    model, hub = on_vllm(weights={"path": str(file), "sha256": "a" * 64}), Hub(tmp_path, allow_downloads=False)
    find = declared_weights(model, hub, Digests(tmp_path / "digests.json"))
    served: ServedModel[Engine] = ServedModel(Declaration(model), FakeEngine("."), learnt_on=find)
    with pytest.raises(ModelNotReady, match="has another sha256"):
        await weights_of(served)


class SlowHub(Hub):
    """Downloads once it may, and counts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, allow_downloads=True)
        self.file_there, self.may_end, self.asked = folder / "big.gguf", threading.Event(), 0

    def file(self, source: HubSource) -> Path:
        self.asked += 1
        assert self.may_end.wait(60)
        self.file_there.write_bytes(b"GGUF")
        return self.file_there


async def test_a_file_of_a_hub_is_downloaded_once_however_often_it_is_asked_for_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = SlowHub(tmp_path)
    model = on_vllm(weights={"huggingface": "org/big", "file": "big.gguf"})
    find = declared_weights(model, hub, Digests(tmp_path / "digests.json"))
    served: ServedModel[Engine] = ServedModel(Declaration(model), FakeEngine("."), learnt_on=find)
    try:
        with monkeypatch.context() as context:
            context.setattr(weights, "WAIT_SECONDS", 0.01)
            for _ in range(3):
                with pytest.raises(ModelNotReady, match="is being downloaded"):
                    await weights_of(served)
    finally:
        hub.may_end.set()
    assert (await weights_of(served)).path == hub.file_there
    assert hub.asked == 1


async def test_a_model_on_vllm_without_such_a_file_is_not_tunable(tmp_path: Path) -> None:
    model = on_vllm()
    assert declared_weights(model, Hub(tmp_path, allow_downloads=False), Digests(tmp_path / "digests.json")) is None
    served: ServedModel[Engine] = ServedModel(Declaration(model), FakeEngine("."))
    with pytest.raises(NotTunable, match=r"vllm\.lora"):
        await weights_of(served)


def test_a_declaration_with_such_a_file_says_what_it_lacks() -> None:
    with pytest.raises(ValidationError, match=r"must be a \.gguf file"):
        on_vllm(weights={"path": "/models/folder"})
    for source in ({"path": "/m-00001-of-00005.gguf"}, {"huggingface": "org/big", "file": "m-00002-of-00005.gguf"}):
        with pytest.raises(ValidationError, match="one of several parts"):
            on_vllm(weights=source)
    with pytest.raises(ValidationError, match="rank"):
        on_vllm(weights={"path": "/m.gguf"}, rank=7)
    entry = on_vllm(weights={"path": "/m.gguf"}).model_dump(exclude={"tokenizer"}, exclude_unset=True)
    with pytest.raises(ValidationError, match=r"vllm\.lora needs tokenizer"):
        Model.model_validate(entry)
