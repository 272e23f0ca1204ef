from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from services.inference.tests.api.calls import ask, error_of
from services.inference.tests.engines.wrappers.engines import FakeEngine
from services.inference.tests.heads import head
from tests.support.inference.packaged import packaged_gguf

from contracts.models.catalog import ModelInfo
from inference.catalog.models_file import Model
from inference.engines.llamacpp import process
from inference.engines.wrappers.on_demand import OnDemandEmbedding
from inference.errors import CannotLoad, FileChanged, ModelNotReady
from inference.protocol.prefixes import NO_PREFIXES, Prefixes
from inference.serving.models import ServedModels
from inference.serving.served_model import Declaration, ServedModel


def test_an_unknown_model_is_404_and_the_word_default_is_explained(start: Any, declared: Any) -> None:
    app = start(declared["embedding"])
    app.until_ready()
    answer = app.post("/v1/chat/completions", ask())
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "model_not_found"
    assert error_of(app.post("/v1/embeddings", {"model": "talker", "input": "x"}))["code"] == "model_not_found"


def test_a_model_that_can_not_load_says_why_and_the_others_serve(start: Any, declared: Any) -> None:
    missing = declared["chat"] | {"engine": "llamacpp", "source": {"path": "/nowhere/m.gguf"}}
    app = start(missing, declared["embedding"])
    answer = app.client.get("/readyz")
    while "loading" in answer.text:
        answer = app.client.get("/readyz")
    assert answer.status_code == 503
    parts = answer.json()["parts"]
    assert "no file m.gguf" in parts["model:talker"]["detail"]
    assert "/nowhere" not in answer.text
    assert parts["model:words"]["ok"]
    assert app.post("/v1/embeddings", {"input": "x"}).status_code == 200
    refused = app.post("/v1/chat/completions", ask())
    assert (refused.status_code, error_of(refused)["code"]) == (503, "model_not_ready")


def test_a_model_that_is_not_the_default_is_shown_but_not_needed_for_readiness(start: Any, declared: Any) -> None:
    spare = declared["chat"] | {
        "name": "spare",
        "engine": "llamacpp",
        "source": {"path": "/nowhere/m.gguf"},
        "default": False,
    }
    app = start(declared["chat"], declared["embedding"], spare)
    app.until_ready()
    parts = app.client.get("/readyz").json()["parts"]
    assert parts["model:spare"]["ok"]
    assert "not ready" in parts["model:spare"]["detail"]


def test_a_judge_whose_chat_model_is_away_leaves_all_else_ready(start: Any, declared: Any) -> None:
    judge = {"name": "judge", "kind": "reading", "engine": "judge", "source": {"chat_model": "gone"}, "default": True}
    app = start(declared["chat"], declared["embedding"], judge)
    app.until_ready()
    assert app.post("/v1/embeddings", {"input": "x"}).status_code == 200
    assert "'gone'" in app.client.get("/readyz").json()["parts"]["model:judge"]["detail"]


def test_where_llama_cpp_has_no_wheel_all_else_is_ready(
    start: Any, declared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LIBRARY", "no_such_library")
    source = {"path": str(packaged_gguf())}
    app = start(declared["chat"] | {"engine": "llamacpp", "source": source}, declared["embedding"])
    app.until_ready()
    refused = app.post("/v1/chat/completions", ask())
    while "loading" in refused.text:
        refused = app.post("/v1/chat/completions", ask())
    assert (refused.status_code, error_of(refused)["code"]) == (503, "engine_not_installed")
    assert "engine openai" in error_of(refused)["message"]
    assert "llama.cpp is not installed" in app.client.get("/readyz").json()["parts"]["model:talker"]["detail"]


def test_a_model_that_can_not_load_is_refused_with_the_code_of_its_reason(
    start: Any, declared: Any, tmp_path: Path
) -> None:
    (tmp_path / "m.gguf").write_bytes(b"no model at all")
    bad = declared["chat"] | {"engine": "llamacpp", "source": {"path": str(tmp_path / "m.gguf")}}
    app = start(bad, declared["embedding"])
    answer = app.client.get("/readyz")
    while "loading" in answer.text:
        answer = app.client.get("/readyz")
    refused = app.post("/v1/chat/completions", ask())
    assert (refused.status_code, error_of(refused)["code"]) == (503, "model_file_invalid")
    assert "m.gguf is no GGUF file" in error_of(refused)["message"]


@pytest.mark.parametrize("kind", ["embedding", "rerank"])
def test_a_folder_of_weights_that_no_machine_has_room_for_is_refused_before_it_is_loaded(
    start: Any, declared: Any, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "huge"
    folder.mkdir()
    with (folder / "pytorch_model.bin").open("wb") as weights:
        weights.truncate(2**42)  # 4 TB, none of which are on the disk
    huge = declared[kind] | {"engine": "sentence-transformers", "source": {"path": str(folder)}}
    app = start(declared["chat"], huge)
    path, body = {
        "embedding": ("/v1/embeddings", {"input": "x"}),
        "rerank": ("/v1/rerank", {"query": "x", "documents": ["y"]}),
    }[kind]
    refused = app.post(path, body)
    while "loading" in refused.text:
        refused = app.post(path, body)
    assert (refused.status_code, error_of(refused)["code"]) == (503, "model_too_large")
    assert "huge needs about 4398046 MB" in error_of(refused)["message"]


def test_added_models_are_loaded_after_the_operators_own(start: Any, declared: Any) -> None:
    loaded = []

    class Noting(FakeEngine):
        def __init__(self, name: str) -> None:
            super().__init__()
            self._name = name

        async def open(self) -> None:
            loaded.append(self._name)

    def made(declaration: Declaration) -> ServedModel[Any]:
        return ServedModel(declaration, Noting(declaration.model.name))

    async def serve() -> None:
        models = ServedModels(made)
        chat, words = (Model.model_validate(declared[kind]) for kind in ("chat", "embedding"))
        extra = words.model_copy(update={"name": "extra", "default": False})
        models.apply([Declaration(extra, is_added=True), Declaration(chat), Declaration(words)])
        await models.loaded()
        await models.close()

    asyncio.run(serve())
    assert loaded == ["words", "talker", "extra"]


class Download:
    """Of a model's files: held until it is let go, or failing."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.begun, self.is_let_go = threading.Event(), threading.Event()
        self.failure = failure

    async def fetch(self) -> None:
        self.begun.set()
        await asyncio.to_thread(self.is_let_go.wait)
        if self.failure is not None:
            raise self.failure


def served_with(declared: Any, downloads: dict[str, Download]) -> tuple[ServedModels, list[Declaration]]:
    """The models `far` and `near`; a download for each that has one."""
    words = Model.model_validate(declared["embedding"] | {"default": False})
    named = [Declaration(words.model_copy(update={"name": name})) for name in ("far", "near")]

    def made(declaration: Declaration) -> ServedModel[Any]:
        download = downloads.get(declaration.model.name)
        return ServedModel(declaration, Plain(), fetch=download.fetch if download else None)

    return ServedModels(made), named


class Plain(FakeEngine):
    def prefixes(self) -> Prefixes:
        return NO_PREFIXES


async def test_a_slow_download_keeps_no_other_model_from_being_loaded(declared: Any) -> None:
    slow = Download()
    models, declarations = served_with(declared, {"far": slow})
    models.apply(declarations)
    await models.any("near").opened()
    await asyncio.to_thread(slow.begun.wait)
    assert models.any("near").state == "ready"
    far = models.any("far").info()
    assert (far.state, far.reason) == (
        "loading",
        "it is loading: its files are looked for, and downloaded where they are not here",
    )
    slow.is_let_go.set()
    await models.loaded()
    assert models.any("far").state == "ready"
    await models.close()


async def test_a_head_and_a_guard_wait_for_no_model_that_is_loading(declared: Any) -> None:
    opened = asyncio.Event()

    class Slow(FakeEngine):
        async def open(self) -> None:
            await opened.wait()

    guard = {"name": "guard", "kind": "classification", "engine": "judge", "source": {"chat_model": "talker"}}
    triage = {"name": "triage", "kind": "classification", "engine": "head", "source": {"head": head()}}
    light = [Declaration(Model.model_validate(each), is_added=True) for each in (guard, triage)]
    slow = Declaration(Model.model_validate(declared["chat"]))
    models = ServedModels(lambda it: ServedModel(it, Slow() if it is slow else FakeEngine()))
    models.apply([slow, *light])
    async with asyncio.timeout(60):
        await asyncio.gather(*(models.any(name).opened() for name in ("guard", "triage")))
    assert models.any("talker").state == "loading"
    opened.set()
    await models.loaded()
    await models.close()


async def test_downloads_are_made_one_after_another(declared: Any) -> None:
    first, second = Download(), Download()
    models, declarations = served_with(declared, {"far": first, "near": second})
    models.apply(declarations)
    await asyncio.to_thread(first.begun.wait)
    assert not second.begun.is_set()
    second.is_let_go.set()
    first.is_let_go.set()
    await models.loaded()
    assert second.begun.is_set()
    await models.close()


async def test_a_download_that_fails_is_told_as_a_failure_to_load(declared: Any) -> None:
    broken = Download(CannotLoad("org/tiny at main could not be downloaded"))
    broken.is_let_go.set()
    models, declarations = served_with(declared, {"far": broken})
    models.apply(declarations)
    await models.loaded()
    assert models.any("far").info().reason == "it failed to load: org/tiny at main could not be downloaded"
    with pytest.raises(ModelNotReady, match="could not be downloaded"):
        models.any("far").ready()
    assert models.any("near").state == "ready"
    await models.close()


def test_a_model_that_fails_when_it_is_first_used_is_told_as_failed(declared: Any) -> None:
    class Broken(FakeEngine):
        def prefixes(self) -> Prefixes:
            return NO_PREFIXES

        async def open(self) -> None:
            raise FileChanged("it has another sha256")

    async def state_of() -> ModelInfo:
        engine = OnDemandEmbedding("words", Broken(), check=lambda: None)
        served = ServedModel(Declaration(Model.model_validate(declared["embedding"])), engine)
        await served.open()
        assert served.info().state == "ready"
        with pytest.raises(ModelNotReady):
            await served.load()
        return served.info()

    info = asyncio.run(state_of())
    assert (info.state, "another sha256" in (info.reason or "")) == ("failed", True)
