"""The engines that need no weights: scripted, and `openai` over HTTP with a scripted service behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.inference.chat_conformance import Capabilities, ChatConformance, Subject, subject_of
from tests.support.inference.classification_conformance import ClassificationConformance
from tests.support.inference.embedding_conformance import EmbeddingConformance
from tests.support.inference.reading_conformance import ReadingConformance
from tests.support.inference.rerank_conformance import RerankConformance
from tests.support.inference.running import (
    CHAT,
    EMBEDDING,
    GUARD,
    GUARDING,
    HEAD,
    PROJECTION,
    READING,
    RERANK,
    Inference,
    running_inference,
    settings_for,
)

from inference.bootstrap import open_dependencies
from inference.dependencies import Dependencies
from inference.protocol.engines import RerankEngine


def upstream_of(service: Inference, declared: dict[str, Any]) -> dict[str, Any]:
    source = {
        "base_url": f"{service.url}/v1",
        "upstream_model": declared["name"],
        "api_key_env": "TEST_UPSTREAM_KEY",
    }
    return declared | {"engine": "openai", "source": source, "name": f"far-{declared['name']}"}


@pytest.fixture(params=["scripted", "openai"])
async def models(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Dependencies]:
    declared = [CHAT, EMBEDDING, RERANK]
    if request.param == "scripted":
        async with open_dependencies(settings_for(tmp_path, declared, chat_waiting=4)) as dependencies:
            await dependencies.models.loaded()
            yield dependencies
        return
    async with running_inference(tmp_path, declared, chat_waiting=4) as service:
        monkeypatch.setenv("TEST_UPSTREAM_KEY", service.token)
        far = [upstream_of(service, model) for model in declared]
        async with open_dependencies(settings_for(tmp_path, far)) as dependencies:
            await dependencies.models.loaded()
            yield dependencies


@pytest.fixture(params=["scripted", "openai", "constrained"])
async def served(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Inference]:
    async with running_inference(tmp_path, [CHAT], chat_waiting=4) as near:
        if request.param == "scripted":
            yield near
            return
        monkeypatch.setenv("TEST_UPSTREAM_KEY", near.token)
        (folder := tmp_path / "far").mkdir()
        far_model = upstream_of(near, CHAT) | {
            "tool_protocol": "constrained" if request.param == "constrained" else "native"
        }
        async with running_inference(folder, [far_model]) as far:
            yield far


SCRIPTED = Capabilities(context_length=256)


class TestChat(ChatConformance):
    @pytest.fixture
    async def subject(self, served: Inference) -> AsyncIterator[Subject]:
        subject = subject_of(f"{served.url}/v1", served.token, "default", SCRIPTED)
        async with subject.client:
            yield subject


class TestEmbedding(EmbeddingConformance):
    @pytest.fixture
    def engine(self, models: Dependencies) -> Any:
        return models.models.embedding("default").ready()


class TestRerank(RerankConformance):
    @pytest.fixture
    def engine(self, models: Dependencies) -> Any:
        return models.models.rerank("default").ready()

    async def test_the_document_that_shares_most_words_is_the_best(self, engine: RerankEngine) -> None:
        ranked = await engine.rank("red car", ["a blue boat", "the red car", "a red boat"])
        assert ranked.scores[1] > ranked.scores[2] > ranked.scores[0]


class TestReading(ReadingConformance):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[Any]:
        async with open_dependencies(settings_for(tmp_path, [CHAT, EMBEDDING, READING])) as dependencies:
            await dependencies.models.loaded()
            yield dependencies.models.reading("default").ready()


class TestProjection(EmbeddingConformance):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[Any]:
        async with open_dependencies(settings_for(tmp_path, [CHAT, EMBEDDING, PROJECTION])) as dependencies:
            await dependencies.models.loaded()
            yield dependencies.models.embedding("words+manuals").ready()


class TestClassification(ClassificationConformance):
    @pytest.fixture(params=["head", "judge"])
    async def engine(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
        declared = [GUARDING, EMBEDDING, HEAD if request.param == "head" else GUARD]
        async with open_dependencies(settings_for(tmp_path, declared)) as dependencies:
            await dependencies.models.loaded()
            yield dependencies.models.classification("default").ready()
