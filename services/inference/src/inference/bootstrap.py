"""Puts inference together: the only file that picks adapters."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from fastapi import FastAPI
from pydantic import SecretStr

from inference.api import chat, models, tokens, vectors
from inference.catalog.gguf_files import gguf_files
from inference.catalog.model_folders import ModelSources
from inference.catalog.models_file import Model, ModelCatalog, load_models_file
from inference.catalog.prices import add_list_prices
from inference.catalog.sources import ScriptSource, UpstreamSource
from inference.dependencies import Dependencies
from inference.engines.batched.embedding import BatchedEmbedding
from inference.engines.batched.worker_pool import WorkerPoolLimits
from inference.engines.llamacpp.chat import LlamaChat
from inference.engines.llamacpp.process import ServerOptions
from inference.engines.llamacpp.request import LlamaModel
from inference.engines.openai.backlog import EngineBacklog
from inference.engines.openai.chat import UpstreamChat
from inference.engines.openai.vectors import UpstreamEmbedding, UpstreamRank
from inference.engines.scripted.chat import ScriptedChat
from inference.engines.scripted.vectors import ScriptedEncoder, ScriptedRank
from inference.engines.sentence_transformers.models import CrossEncoderRank, SentenceEncoder
from inference.engines.wrappers.checked_calls import CheckedCalls
from inference.engines.wrappers.checked_schema import CheckedSchema
from inference.engines.wrappers.constrained_tools import ConstrainedTools
from inference.engines.wrappers.native_tools import NativeTools
from inference.engines.wrappers.on_demand import OnDemandEmbedding
from inference.engines.wrappers.raw_prompts import RawPrompts
from inference.protocol.engines import ChatEngine, EmbeddingEngine, RerankEngine
from inference.queueing.admission import Admission, reserved_for_queries
from inference.queueing.liveness import PROBE, Liveness
from inference.serving.models import ServedModel, ServedModels
from inference.settings import InferenceSettings, secret_named
from servicekit.peers.client import Peer, open_session
from servicekit.web.app import build_app

log = structlog.get_logger(__name__)
LLAMA_SLOTS = 4
"""Conversations that llama.cpp answers at once unless the models file says otherwise."""
LLAMA_RESTART_SECONDS = 20.0
"""How long calls wait for a process of llama.cpp that is being started again."""


@asynccontextmanager
async def open_dependencies(settings: InferenceSettings) -> AsyncGenerator[Dependencies, None]:
    """Everything that serves, while the block runs. Models load in the background, one after another."""
    catalog = add_list_prices(load_models_file(settings.models_file))
    async with open_session(connections=0) as session:  # admission bounds the calls
        served = _EngineFactory(settings, session).models(catalog)
        served.start()
        try:
            yield Dependencies(served, settings.reader_seconds)
        finally:
            await served.close()


def create_app(settings: InferenceSettings | None = None, dependencies: Dependencies | None = None) -> FastAPI:
    """The app; with `dependencies` given, it uses those and closes nothing."""
    chosen = settings or InferenceSettings()

    @asynccontextmanager
    async def use_given(opened: Dependencies) -> AsyncGenerator[Dependencies, None]:
        yield opened

    return build_app(
        "inference",
        settings=chosen,
        opening=lambda: use_given(dependencies) if dependencies else open_dependencies(chosen),
        routers=[chat.router, vectors.router, tokens.router, models.router],
        probes=lambda opened: opened.probes(),
    )


class _EngineFactory:
    """Makes the engine that a declaration asks for."""

    def __init__(self, settings: InferenceSettings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session
        self._admissions: dict[str, Admission] = {}
        self._created = int(settings.models_file.stat().st_mtime)
        self._sources = ModelSources(
            settings.models_dir, allow_downloads=settings.allow_downloads, hub_url=settings.hub_url
        )

    def models(self, catalog: ModelCatalog) -> ServedModels:
        def declared(kind: str) -> list[Model]:
            return [model for model in catalog.models if model.kind == kind]

        return ServedModels(
            chat=[self._served_chat(model) for model in declared("chat")],
            embedding=[self._served_embedding(model) for model in declared("embedding")],
            rerank=[self._served_rerank(model) for model in declared("rerank")],
            probe_seconds=self._settings.probe_seconds,
        )

    def _served_chat(self, model: Model) -> ServedModel[ChatEngine]:
        engine = self._chat(model)
        return ServedModel(model, engine, self._probing(model, lambda: engine.complete(PROBE)), self._created)

    def _served_embedding(self, model: Model) -> ServedModel[EmbeddingEngine]:
        engine = self._embedding(model)
        if model.load == "when_used":
            engine = OnDemandEmbedding(model.name, engine, check=lambda: self._sources.check(model))
        return ServedModel(model, engine, self._probing(model, lambda: engine.embed(["probe"], "query")), self._created)

    def _served_rerank(self, model: Model) -> ServedModel[RerankEngine]:
        engine = self._rerank(model)
        return ServedModel(model, engine, self._probing(model, lambda: engine.rank("probe", ["probe"])), self._created)

    def _probing(self, model: Model, ask: Callable[[], Awaitable[object]]) -> Liveness | None:
        """Has the model behind a server really answer; engines in this process do so themselves.

        The few slots of llama.cpp are all taken at times: it is not asked then, but must show progress.
        """
        if not model.is_remote and model.engine != "llamacpp":
            return None
        few = self._admissions[model.name] if model.engine == "llamacpp" else None
        busy = (lambda: few.running > 0) if few is not None else (lambda: False)
        return Liveness(model.name, ask=ask, busy=busy, **self._liveness(model))

    def _chat(self, model: Model) -> ChatEngine:
        source = model.source
        if isinstance(source, UpstreamSource):
            upstream = UpstreamChat(**self._upstream(model, source))
            checked = ConstrainedTools if model.tools_by == "constrained" else CheckedCalls
            return checked(model.name, upstream)
        if isinstance(source, ScriptSource):
            admission = self._admission(model, source.places)
            return RawPrompts(ScriptedChat(model.name, source, admission, model.context_length or 0))
        return self._llama(model)

    def _llama(self, model: Model) -> ChatEngine:
        """llama.cpp as a server that this process starts."""
        options, key = model.llamacpp, secrets.token_urlsafe(32)
        slots, context = model.queue.at_once or LLAMA_SLOTS, model.context_length or 0
        native = model.tools_by == "native"
        upstream, moved = self._llama_upstream(model, slots, key)
        engine = LlamaChat(
            model.name,
            upstream,
            locate=lambda: gguf_files(model, self._sources.hub),
            moved=moved,
            key=key,
            model=LlamaModel(context, model.generation, native_tools=native),
            options=ServerOptions(context, slots, options.threads or self._settings.threads, options.gpu_layers),
            memory_mb=options.memory_mb,
            ask=upstream.ask,
        )
        with_tools = (NativeTools if native else ConstrainedTools)(model.name, engine)
        return RawPrompts(CheckedSchema(with_tools))

    def _llama_upstream(self, model: Model, slots: int, key: str) -> tuple[UpstreamChat, Callable[[str | None], None]]:
        """What speaks to llama.cpp's server, and what tells it where that listens: known once it does."""
        settings, nowhere = self._settings, UpstreamSource(base_url="http://127.0.0.1/v1", upstream_model=model.name)
        peer, metrics, root = (
            Peer(
                "upstream",
                nowhere.base_url,
                self._session,
                settings.upstream_seconds,
                is_ours=False,
                restart_seconds=LLAMA_RESTART_SECONDS,
            )
            for _ in range(3)
        )

        def moved(address: str | None) -> None:
            peer.move(f"{address}/v1" if address else None)
            metrics.move(f"{address}/metrics" if address else None)
            root.move(address)

        backlog = EngineBacklog(model.name, metrics, upstream_model=model.name, most=settings.engine_waiting, token=key)
        upstream = UpstreamChat(
            model.name,
            peer,
            self._admission(model, slots, backlog=backlog),
            source=nowhere,
            api_key=SecretStr(key),
            context_length=model.context_length,
            tokenizer=model.tokenizer,
            closing=backlog.close,
            root=root,
        )
        return upstream, moved

    def _embedding(self, model: Model) -> EmbeddingEngine:
        settings, source = self._settings, model.source
        dimensions, limit = model.dimensions or 0, model.max_input_tokens or 0
        if isinstance(source, UpstreamSource):
            return UpstreamEmbedding(dimensions=dimensions, **self._upstream(model, source, shared_with_bulk=True))
        encoder: ScriptedEncoder | SentenceEncoder
        if isinstance(source, ScriptSource):
            encoder = ScriptedEncoder(dimensions, limit)
        else:
            encoder = SentenceEncoder(
                self._locate(model),
                dimensions=dimensions,
                max_input_tokens=limit,
                precision=settings.precision,
            )
        return BatchedEmbedding(
            model.name,
            encoder,
            dimensions=dimensions,
            max_input_tokens=limit,
            limits=WorkerPoolLimits(
                workers=settings.threads,
                batch_tokens=settings.batch_tokens,
                batch_seconds=settings.batch_seconds,
                waiting_tokens=model.queue.waiting_tokens or settings.waiting_tokens,
                **self._liveness(model),
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
            self._locate(model),
            self._admission(model, 1),
            max_input_tokens=model.max_input_tokens or 512,
            precision=settings.precision,
            threads=settings.threads,
            **self._liveness(model),
        )

    def _upstream(self, model: Model, source: UpstreamSource, *, shared_with_bulk: bool = False) -> dict[str, Any]:
        settings, queue = self._settings, model.queue
        backlog = None
        if source.metrics_url is not None:
            backlog = EngineBacklog(
                model.name,
                Peer("upstream", source.metrics_url, self._session, is_ours=False),
                upstream_model=source.upstream_model,
                most=queue.engine_waiting or settings.engine_waiting,
            )
        return {
            "name": model.name,
            "peer": Peer("upstream", source.base_url, self._session, settings.upstream_seconds, is_ours=False),
            "admission": self._admission(
                model, settings.upstream_at_once, settings.upstream_waiting, backlog, shared_with_bulk=shared_with_bulk
            ),
            "source": source,
            "api_key": secret_named(source.api_key_env) if source.api_key_env else None,
            "context_length": model.context_length,
            "tokenizer": model.tokenizer,
            "closing": backlog.close if backlog else None,
            "root": Peer("upstream", source.base_url.rstrip("/").removesuffix("/v1"), self._session, is_ours=False),
        }

    def _admission(
        self,
        model: Model,
        slots: int,
        waiting: int | None = None,
        backlog: EngineBacklog | None = None,
        *,
        shared_with_bulk: bool = False,
    ) -> Admission:
        queue, settings = model.queue, self._settings
        slots = queue.at_once or slots
        usual = settings.chat_waiting if waiting is None else waiting
        self._admissions[model.name] = Admission(
            model.name,
            slots=slots,
            waiting=usual if queue.waiting is None else queue.waiting,
            waiting_tokens=queue.waiting_tokens or settings.chat_waiting_tokens,
            backlog=backlog,
            reserved=reserved_for_queries(slots) if shared_with_bulk else 0,
        )
        return self._admissions[model.name]

    def _liveness(self, model: Model) -> dict[str, Any]:
        usual = self._settings.paid_probe_seconds if model.is_paid else self._settings.probe_seconds
        fresh = model.probe_seconds or usual
        return {"fresh_seconds": fresh, "stalled_seconds": self._settings.stalled_seconds}

    def _locate(self, model: Model) -> Callable[[], Path]:
        """What finds the model's folder when it is loaded; a model that is not there must not keep others away."""
        return lambda: self._sources.folder(model)
