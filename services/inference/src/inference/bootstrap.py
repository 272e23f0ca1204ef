"""Puts inference together: the only file that picks adapters."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from fastapi import FastAPI
from pydantic import SecretStr

from inference.api import chat, classification, models, pulls, reading, tokens, tuning, vectors
from inference.catalog.gguf_files import gguf_files
from inference.catalog.identity import Digests, Identity, identity_of
from inference.catalog.model_folders import ModelSources
from inference.catalog.models_file import Model, load_models_file
from inference.catalog.packages import models_folder
from inference.catalog.prices import add_list_prices
from inference.catalog.sources import (
    ChatSource,
    CorrectionSource,
    ProjectionSource,
    ScriptSource,
    UpstreamSource,
)
from inference.declarations.adapters import AdapterRepository
from inference.declarations.connections import Connections, unpooled
from inference.declarations.restrictions import Restrictions
from inference.declarations.runtime import open_declared
from inference.dependencies import Dependencies
from inference.engines.llamacpp.chat import LlamaChat
from inference.engines.llamacpp.heartbeat import PATH as HEARTBEAT_PATH
from inference.engines.llamacpp.heartbeat import Heartbeat
from inference.engines.llamacpp.memory_pool import MemoryPool
from inference.engines.llamacpp.process import ServerOptions
from inference.engines.llamacpp.request import LlamaModel
from inference.engines.openai.adapter import chat_of
from inference.engines.openai.backlog import EngineBacklog
from inference.engines.openai.chat import UpstreamChat
from inference.engines.openai.vectors import UpstreamEmbedding, UpstreamRank
from inference.engines.scripted.chat import ScriptedChat
from inference.engines.scripted.reading import ScriptedReading
from inference.engines.scripted.vectors import ScriptedRank
from inference.engines.sentence_transformers.cross_encoder import CrossEncoderRank
from inference.engines.sentence_transformers.pairs import PAIR_TOKENS
from inference.engines.sentence_transformers.reading import FolderReading
from inference.engines.wrappers.checked_schema import CheckedSchema
from inference.engines.wrappers.constrained_tools import ConstrainedTools
from inference.engines.wrappers.native_tools import NativeTools
from inference.engines.wrappers.normalized_calls import NormalizedCalls
from inference.engines.wrappers.on_demand import OnDemandEmbedding
from inference.engines.wrappers.places import Places
from inference.engines.wrappers.raw_prompts import RawPrompts
from inference.protocol.engines import ChatEngine, EmbeddingEngine, Engine, ReadingEngine, RerankEngine
from inference.pulls.runtime import open_pulls
from inference.queueing.admission import Admission, reserved_for_queries
from inference.queueing.liveness import PROBE, Liveness
from inference.serving import composed
from inference.serving.encoders import EncoderEngines
from inference.serving.models import ServedModels
from inference.serving.served_model import Declaration, ServedModel
from inference.settings import InferenceSettings, key_hosts, secret_named
from inference.tuned.adapter_files import AdapterFiles
from inference.tuned.encoder_files import EncoderFiles
from inference.tuned.weights import declared_weights
from servicekit.core.clock import SystemClock
from servicekit.peers.client import Peer, open_session
from servicekit.peers.connection_guard import SystemLookUp
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate
from servicekit.web.app import build_app

log = structlog.get_logger(__name__)
MIGRATIONS = Path(__file__).parent / "migrations"
LLAMA_SLOTS = 4
"""Conversations that llama.cpp answers at once unless the models file says otherwise."""
LLAMA_RESTART_SECONDS = 20.0
"""How long calls wait for a process of llama.cpp that is being started again."""


@asynccontextmanager
async def open_dependencies(settings: InferenceSettings) -> AsyncGenerator[Dependencies, None]:
    """Everything that serves, while the block runs. Models load in the background, one after another."""
    catalog = add_list_prices(load_models_file(settings.models_file))
    created = int(settings.models_file.stat().st_mtime)
    database = Database.open(settings.database_url, settings.data_dir, "inference")
    try:
        await migrate(database, MIGRATIONS)
        async with open_session(connections=0) as session, unpooled() as children:  # admission bounds the calls
            factory = _EngineFactory(settings, database, session, children, lambda: served)
            served = ServedModels(factory.served, probe_seconds=settings.probe_seconds)
            models = [Declaration(model, created) for model in catalog.models]
            restrictions = factory.restrictions
            opening = open_declared(settings, database, models, served, restrictions, factory.identity)
            async with (
                opening as (declared, published),
                open_pulls(settings, database, declared, restrictions, factory.sources.hub_dir) as asked,
            ):
                encoders = EncoderFiles(settings.data_dir / "encoders", factory.sources.folder)
                yield Dependencies(database, declared, published, served, asked, encoders, settings.reader_seconds)
    finally:
        await database.close()


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
        routers=[each.router for each in (chat, vectors, classification, reading, tokens, pulls, tuning, models)],
        probes=lambda opened: opened.probes(),
        record_requests=False,
    )


class _EngineFactory:
    """Makes the engine that a declaration asks for."""

    def __init__(
        self,
        settings: InferenceSettings,
        database: Database,
        session: aiohttp.ClientSession,
        children: aiohttp.ClientSession,
        models: Callable[[], ServedModels],
    ) -> None:
        """`models`: those among which judges and heads find the one that works for them."""
        self._models = models
        self._settings = settings
        self._session = session
        self._children = children
        self._admissions: dict[str, Admission] = {}
        self._llamas: dict[str, LlamaChat] = {}  # of models that are being made
        self._pool = MemoryPool()
        self.sources = ModelSources(
            settings.models_dir,
            allow_downloads=settings.allow_downloads,
            hub_url=settings.hub_url,
            hub_dir=settings.hub_dir,
            adapters_dir=(adapters := settings.data_dir / "adapters"),
        )
        self._encoders = EncoderEngines(settings, self.sources, models, Places(settings.lora_encoders_at_once))
        pieces = AdapterRepository(database, SystemClock()).pieces
        self._adapters = AdapterFiles(adapters, pieces, lambda: models().adapters(), settings.vllm_adapters_dir)
        self._digests = Digests(settings.data_dir / "digests.json")
        folders = [Path(word.strip()) for word in settings.added_folders.split(",") if word.strip()]
        self.restrictions = Restrictions(
            settings.added_policy(),
            key_hosts(settings.added_keys),
            (settings.models_dir or models_folder(), *folders),
            SystemLookUp(),
        )

    def identity(self, model: Model) -> Identity:
        """Which files a model is of; raises `CannotLoad` or `OSError`. Blocks."""
        return identity_of(model, self.sources, self._digests)

    def served(self, declaration: Declaration) -> ServedModel[Engine]:
        """A model that is not loaded yet."""
        model = declaration.model
        connections = Connections(self._session, self.restrictions if declaration.is_added else None)
        engine, ask = self._engine(declaration, connections)
        return ServedModel(
            declaration,
            engine,
            self._probing(model, ask),
            lambda: self.identity(model),
            self._adapters.closing(model, connections.close),
            self._adapters.fetching(model, self.sources.fetching(model)),
            self._llamas.pop(model.name, None),
            declared_weights(model, self.sources.hub, self._digests),
        )

    def _engine(
        self, declaration: Declaration, connections: Connections
    ) -> tuple[Engine, Callable[[], Awaitable[object]]]:
        """The engine, and what asks it something small."""
        model = declaration.model
        if model.kind == "chat":
            chat = self._chat(declaration, connections)
            return chat, llama.ping if (llama := self._llamas.get(model.name)) else partial(chat.complete, PROBE)
        if model.kind == "embedding":
            embedding = self._embedding(model, connections)
            if model.load == "when_used":
                embedding = OnDemandEmbedding(model.name, embedding, check=lambda: self.sources.check(model))
            return embedding, lambda: embedding.embed(["probe"], "query")
        if model.kind == "reading":
            reader = self._reading(model)
            return reader, reader.probe
        if model.kind == "classification":
            classifier = composed.classifier(model, self._models)
            return classifier, classifier.probe
        rerank = self._rerank(model, connections)
        return rerank, lambda: rerank.rank("probe", ["probe"])

    def _probing(self, model: Model, ask: Callable[[], Awaitable[object]]) -> Liveness | None:
        """Has the model behind a server really answer; engines in this process do so themselves.

        The few slots of llama.cpp are all taken at times: it is not asked then, but must show progress.
        """
        if not model.is_remote and model.engine != "llamacpp":
            return None
        few = self._admissions[model.name] if model.engine == "llamacpp" else None
        busy = (lambda: few.running > 0) if few is not None else (lambda: False)
        return Liveness(model.name, ask=ask, busy=busy, **self._liveness(model))

    def _chat(self, declaration: Declaration, connections: Connections) -> ChatEngine:
        model, source = declaration.model, declaration.model.source
        if isinstance(source, UpstreamSource):
            with_tools = ConstrainedTools if model.tools_by == "constrained" else NormalizedCalls
            parts = self._upstream(model, source, connections)
            return with_tools(model.name, chat_of(parts, self._adapters.on_vllm(declaration)))
        if isinstance(source, ScriptSource):
            admission = self._admission(model, source.places)
            return RawPrompts(ScriptedChat(model.name, source, admission, model.context_length or 0))
        return self._llama(model, begins_asleep=declaration.is_proven)

    def _llama(self, model: Model, *, begins_asleep: bool) -> ChatEngine:
        """llama.cpp as a server that this process starts."""
        options, key = model.llamacpp, secrets.token_urlsafe(32)
        slots, context = model.queue.at_once or LLAMA_SLOTS, model.context_length or 0
        native = model.tools_by == "native"
        upstream, moved, heartbeat = self._llama_upstream(model, slots, key)
        engine = LlamaChat(
            model.name,
            upstream,
            locate=lambda: gguf_files(model, self.sources.hub, self.sources.adapters_dir),
            moved=moved,
            key=key,
            model=LlamaModel(context, model.generation, native_tools=native),
            options=ServerOptions(context, slots, options.threads or self._settings.threads, options.gpu_layers),
            declared=options,
            ask=upstream.ask,
            heartbeat=heartbeat,
            pool=self._pool,
            begins_asleep=begins_asleep,
        )
        self._llamas[model.name] = engine
        with_tools = (NativeTools if native else ConstrainedTools)(model.name, engine)
        return RawPrompts(CheckedSchema(with_tools))

    def _llama_upstream(
        self, model: Model, slots: int, key: str
    ) -> tuple[UpstreamChat, Callable[[str | None], None], Heartbeat]:
        """What speaks to llama.cpp's server, what tells it where that listens, and what asks whether it hangs."""
        settings, nowhere = self._settings, UpstreamSource(base_url="http://127.0.0.1/v1", upstream_model=model.name)
        peer, metrics, root = (
            Peer(
                "upstream",
                nowhere.base_url,
                self._children,
                settings.upstream_seconds,
                is_ours=False,
                restart_seconds=LLAMA_RESTART_SECONDS,
                called=f"server behind the model '{model.name}'",
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
            self._admission(model, slots, backlog=backlog, reserved=slots - 1),  # all of them share the same cores
            source=nowhere,
            api_key=SecretStr(key),
            context_length=model.context_length,
            tokenizer=model.tokenizer,
            closing=backlog.close,
            root=root,
        )
        beat = partial(root.send, "GET", HEARTBEAT_PATH, token=key)
        return upstream, moved, Heartbeat(beat, settings.stalled_seconds)

    def _embedding(self, model: Model, connections: Connections) -> EmbeddingEngine:
        source = model.source
        if isinstance(source, ProjectionSource):
            return composed.projection(model, self._models)
        if isinstance(source, UpstreamSource):
            return UpstreamEmbedding(dimensions=model.dimensions or 0, **self._upstream(model, source, connections))
        return self._encoders.embedding(model, self._liveness(model))

    def _rerank(self, model: Model, connections: Connections) -> RerankEngine:
        source = model.source
        if isinstance(source, UpstreamSource):
            return UpstreamRank(**self._upstream(model, source, connections))
        if isinstance(source, ScriptSource):
            return ScriptedRank(model.max_input_tokens or PAIR_TOKENS)
        if isinstance(source, CorrectionSource):
            return composed.corrected_rank(model, self._models, self._encoders.reading(model, self._pairs(model)))
        return CrossEncoderRank(**self._pairs(model))

    def _reading(self, model: Model) -> ReadingEngine:
        source = model.source
        if isinstance(source, ScriptSource):
            return ScriptedReading(model.max_input_tokens or PAIR_TOKENS)
        if isinstance(source, ChatSource):
            return composed.judge(model, self._models)
        if isinstance(source, CorrectionSource):
            return composed.correction(model, self._models, self._encoders.reading(model, self._pairs(model)))
        return FolderReading(**self._pairs(model))

    def _pairs(self, model: Model) -> dict[str, Any]:
        return {
            "model": model.name,
            "locate": self._locate(model),
            "admission": self._admission(model, 1),
            "max_input_tokens": model.max_input_tokens or PAIR_TOKENS,
            "precision": self._settings.precision,
            "threads": self._settings.threads,
            **self._liveness(model),
        }

    def _upstream(self, model: Model, source: UpstreamSource, connections: Connections) -> dict[str, Any]:
        settings, queue = self._settings, model.queue
        root = source.base_url.rstrip("/").removesuffix("/v1")
        called, backlog = f"server behind the model '{model.name}'", None
        if source.metrics_url is not None:
            backlog = EngineBacklog(
                model.name,
                Peer("upstream", source.metrics_url, connections.to(source.metrics_url), is_ours=False),
                upstream_model=source.upstream_model,
                most=queue.engine_waiting or settings.engine_waiting,
            )
        return {
            "name": model.name,
            "peer": Peer(
                "upstream",
                source.base_url,
                connections.to(source.base_url),
                settings.upstream_seconds,
                is_ours=False,
                called=called,
            ),
            "admission": self._admission(model, settings.upstream_at_once, settings.upstream_waiting, backlog),
            "source": source,
            "api_key": secret_named(source.api_key_env) if source.api_key_env else None,
            "context_length": model.context_length,
            "tokenizer": model.tokenizer,
            "closing": backlog.close if backlog else None,
            "root": Peer("upstream", root, connections.to(root), is_ours=False, called=called),
        }

    def _admission(
        self,
        model: Model,
        slots: int,
        waiting: int | None = None,
        backlog: EngineBacklog | None = None,
        reserved: int | None = None,
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
            reserved=reserved_for_queries(slots) if reserved is None else reserved,
        )
        return self._admissions[model.name]

    def _liveness(self, model: Model) -> dict[str, Any]:
        usual = self._settings.paid_probe_seconds if model.is_paid else self._settings.probe_seconds
        return {"fresh_seconds": model.probe_seconds or usual, "stalled_seconds": self._settings.stalled_seconds}

    def _locate(self, model: Model) -> Callable[[], Path]:
        """What finds the model's folder when it is loaded; a model that is not there must not keep others away."""
        return lambda: self.sources.folder(model)
