"""A model that is named by its Hugging Face id is downloaded once, from a hub that a fake plays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.applications import Starlette
from tests.support.inference.hub import FakeHub
from tests.support.inference.running import serving

from inference.catalog.hub import Hub
from inference.catalog.model_folders import ModelSources
from inference.catalog.models_file import Model
from inference.catalog.sources import HubSource, PathSource
from inference.errors import CannotLoad

FILES = {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"a program"}
MODEL = Model.model_validate(
    {
        "name": "far",
        "kind": "rerank",
        "engine": "sentence-transformers",
        "source": {"huggingface": "org/tiny", "revision": "main"},
    }
)


async def test_it_is_downloaded_once_without_pickled_weights_and_only_if_that_is_allowed(tmp_path: Path) -> None:
    hub = FakeHub(FILES)
    async with serving(hub.app) as url:
        with pytest.raises(CannotLoad, match="INFERENCE_ALLOW_DOWNLOADS"):
            await asyncio.to_thread(ModelSources(tmp_path, hub_url=url).folder, MODEL)
        assert hub.given == []
        allowed = ModelSources(tmp_path, allow_downloads=True, hub_url=url)
        folder = await asyncio.to_thread(allowed.folder, MODEL)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            name: content for name, content in FILES.items() if not name.endswith(".bin")
        }
        assert sorted(hub.given) == ["config.json", "model.safetensors"]
    offline = ModelSources(tmp_path)
    assert await asyncio.to_thread(offline.folder, MODEL) == folder


async def test_a_hub_that_does_not_know_it_is_said(tmp_path: Path) -> None:
    async with serving(Starlette()) as url:
        sources = ModelSources(tmp_path, allow_downloads=True, hub_url=url)
        with pytest.raises(CannotLoad, match="could not be downloaded"):
            await asyncio.to_thread(sources.folder, MODEL)


async def test_one_file_of_a_model_is_downloaded_alone_and_with_all_its_parts(tmp_path: Path) -> None:
    parts = [f"q4/m-0000{number}-of-00002.gguf" for number in (1, 2)]
    ggufs = {name: f"GGUF {name}".encode() for name in (*parts, "m.gguf", "other.gguf")}
    source = HubSource(huggingface="org/tiny", file="m.gguf")
    hub = FakeHub(FILES | ggufs)
    async with serving(hub.app) as url:
        with pytest.raises(CannotLoad, match="INFERENCE_ALLOW_DOWNLOADS"):
            await asyncio.to_thread(Hub(tmp_path, url=url).file, source)
        allowed = Hub(tmp_path, allow_downloads=True, url=url)
        assert (await asyncio.to_thread(allowed.file, source)).read_bytes() == b"GGUF m.gguf"
        assert hub.given == ["m.gguf"]
        first = await asyncio.to_thread(allowed.file, source.model_copy(update={"file": parts[0]}))
        assert first.parent.joinpath("m-00002-of-00002.gguf").is_file()
        assert sorted(hub.given) == sorted(["m.gguf", *parts])
        with pytest.raises(CannotLoad, match=r"has no file none\.gguf"):
            await asyncio.to_thread(allowed.file, source.model_copy(update={"file": "none.gguf"}))
    assert await asyncio.to_thread(Hub(tmp_path).file, source)


async def test_what_is_fetched_before_it_is_loaded_is_only_what_may_be_and_what_somebody_asked_for(
    tmp_path: Path,
) -> None:
    hub = FakeHub(FILES)
    async with serving(hub.app) as url:
        assert ModelSources(tmp_path, hub_url=url).fetching(MODEL) is None
        allowed = ModelSources(tmp_path, allow_downloads=True, hub_url=url)
        here = MODEL.model_copy(update={"source": PathSource(path=tmp_path)})
        assert allowed.fetching(here) is None
        assert allowed.fetching(MODEL.model_copy(update={"load": "when_used"})) is None
        fetch = allowed.fetching(MODEL)
        assert fetch is not None
        await asyncio.to_thread(fetch)
        assert sorted(hub.given) == ["config.json", "model.safetensors"]
    assert await asyncio.to_thread(allowed.folder, MODEL), "nothing is asked any more"
