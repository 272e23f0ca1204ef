"""Puts inference together: the only file that picks adapters."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from fastapi import Depends, FastAPI, Request

from inference.adapters.constrained import ConstrainedTools
from inference.adapters.openai_http import UpstreamChat, UpstreamEmbedding, UpstreamRank
from inference.adapters.scripted import ScriptedEncoder, ScriptedRank
from inference.adapters.scripted_chat import ScriptedChat
from inference.adapters.sentence_transformers_models import CrossEncoderRank, SentenceEncoder
from inference.adapters.transformers_chat import TransformersChat
from inference.admission import Admission
from inference.catalogue import (
    Catalogue,
    Model,
    PackagedSource,
    PackageSource,
    PathSource,
    ScriptSource,
    UpstreamSource,
    load_catalogue,
)
from inference.embedding import BatchedEmbedding
from inference.errors import CannotLoad
from inference.lanes import LaneLimits
from inference.models import Models, Served
from inference.packaged import models_folder, package_folder
from inference.ports import ChatEngine, EmbeddingEngine, RerankEngine
from inference.prices import with_list_prices
from inference.settings import InferenceSettings, secret_named
from servicekit.app import build_app
from servicekit.health import Probe
from servicekit.http import Peer, open_session

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the calls need."""

    models: Models

    def probes(self) -> Mapping[str, Probe]:
        """One for each model."""
        return self.models.probes()


def _current(request: Request) -> Dependencies:
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


current = Depends(_current)


@asynccontextmanager
async def open_dependencies(settings: InferenceSettings) -> AsyncGenerator[Dependencies, None]:
    """Everything that serves, while the block runs. Models load in the background, one after another."""
    catalogue = with_list_prices(load_catalogue(settings.models_file))
    async with open_session() as session:
        models = _Maker(settings, session).models(catalogue)
        models.start()
        try:
            yield Dependencies(models)
        finally:
            await models.close()


def create_app(settings: InferenceSettings | None = None, dependencies: Dependencies | None = None) -> FastAPI:
    """The app; with `dependencies` given, it uses those and closes nothing."""
    from inference.routes import chat, models, vectors  # they need what this module defines

    chosen = settings or InferenceSettings()

    @asynccontextmanager
    async def given(ready: Dependencies) -> AsyncGenerator[Dependencies, None]:
        yield ready

    return build_app(
        "inference",
        settings=chosen,
        opening=lambda: given(dependencies) if dependencies else open_dependencies(chosen),
        routers=[chat.router, vectors.router, models.router],
        probes=lambda ready: ready.probes(),
    )


class _Maker:
    """Makes the engine that a declaration asks for."""

    def __init__(self, settings: InferenceSettings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session

    def models(self, catalogue: Catalogue) -> Models:
        def declared(kind: str) -> list[Model]:
            return [model for model in catalogue.models if model.kind == kind]

        return Models(
            chat=[Served(model, self._chat(model)) for model in declared("chat")],
            embedding=[Served(model, self._embedding(model)) for model in declared("embedding")],
            rerank=[Served(model, self._rerank(model)) for model in declared("rerank")],
        )

    def _chat(self, model: Model) -> ChatEngine:
        settings, source = self._settings, model.source
        context = model.context_length or 0
        if isinstance(source, UpstreamSource):
            upstream = UpstreamChat(stream_usage=source.stream_usage, **self._upstream(model, source))
            return ConstrainedTools(model.name, upstream) if model.tools_by == "constrained" else upstream
        if isinstance(source, ScriptSource):
            places = Admission(model.name, places=source.places, waiting=settings.chat_waiting)
            return ScriptedChat(model.name, source, places, context)
        return TransformersChat(
            model.name,
            self._locate(source),
            Admission(model.name, places=1, waiting=settings.chat_waiting),
            context_length=context,
            usual_tokens=settings.chat_max_tokens,
            precision=settings.precision,
            threads=settings.threads,
            **self._liveness(),
        )

    def _embedding(self, model: Model) -> EmbeddingEngine:
        settings, source = self._settings, model.source
        dimensions, limit = model.dimensions or 0, model.max_input_tokens or 0
        if isinstance(source, UpstreamSource):
            return UpstreamEmbedding(dimensions=dimensions, **self._upstream(model, source))
        encoder: ScriptedEncoder | SentenceEncoder
        if isinstance(source, ScriptSource):
            encoder = ScriptedEncoder(dimensions, limit)
        else:
            encoder = SentenceEncoder(
                self._locate(source),
                dimensions=dimensions,
                max_input_tokens=limit,
                precision=settings.precision,
            )
        return BatchedEmbedding(
            model.name,
            encoder,
            dimensions=dimensions,
            max_input_tokens=limit,
            limits=LaneLimits(
                workers=settings.threads,
                batch_tokens=settings.batch_tokens,
                batch_seconds=settings.batch_seconds,
                waiting_tokens=settings.waiting_tokens,
                **self._liveness(),
            ),
        )

    def _rerank(self, model: Model) -> RerankEngine:
        settings, source = self._settings, model.source
        if isinstance(source, UpstreamSource):
            return UpstreamRank(**self._upstream(model, source))
        if isinstance(source, ScriptSource):
            return ScriptedRank(model.max_input_tokens or 512)
        return CrossEncoderRank(
            model.name,
            self._locate(source),
            Admission(model.name, places=1, waiting=settings.chat_waiting),
            max_input_tokens=model.max_input_tokens or 512,
            threads=settings.threads,
            **self._liveness(),
        )

    def _upstream(self, model: Model, source: UpstreamSource) -> dict[str, Any]:
        return {
            "name": model.name,
            "peer": Peer("upstream", source.base_url, self._session, self._settings.upstream_seconds),
            "upstream_model": source.upstream_model,
            "api_key": secret_named(source.api_key_env) if source.api_key_env else None,
            "ready_path": source.ready_path,
            "tokenizer": model.tokenizer,
        }

    def _liveness(self) -> dict[str, float]:
        return {"fresh_seconds": self._settings.probe_seconds, "stalled_seconds": self._settings.stalled_seconds}

    def _locate(self, source: PathSource | PackageSource | PackagedSource) -> Callable[[], Path]:
        """What finds the model's folder when it is loaded; a model that is not there must not keep others away."""

        def locate() -> Path:
            if isinstance(source, PathSource):
                folder, hint = source.path, "Correct `path` in the models file"
            elif isinstance(source, PackageSource):
                folder, hint = package_folder(source.package) / source.folder, "Correct `folder` in the models file"
            else:
                folder = (self._settings.models_dir or models_folder()) / source.packaged
                hint = "Set-up makes it: python -m inference.packaged"
            if not folder.is_dir():
                log.error("no model folder", folder=str(folder))
                raise CannotLoad(f"its folder is not there. {hint}")
            return folder

        return locate
