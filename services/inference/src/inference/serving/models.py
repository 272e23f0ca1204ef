"""The models being served: found by name and kind, each loading, ready or failed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, Literal, TypeVar

import structlog

from contracts.models.catalog import ModelInfo
from inference.catalog.models_file import Kind, Model
from inference.engines.wrappers.on_demand import OnDemandEmbedding
from inference.errors import CannotLoad, EngineMissing, ModelNotFound, ModelNotReady, NoReranker, NoTokenizer
from inference.metrics import READY, SILENT_SECONDS, begin_model
from inference.protocol.engines import ChatEngine, EmbeddingEngine, Engine, RerankEngine
from inference.protocol.prefixes import NO_PREFIXES, Prefixes
from inference.queueing.liveness import InFlightCalls, Liveness, LivenessMonitor
from servicekit.core.errors import NotReady, ServiceError, UpstreamFailed, UpstreamTimeout
from servicekit.core.probes import Degraded, Probe

log = structlog.get_logger(__name__)
AnyEngine = TypeVar("AnyEngine", bound=Engine, covariant=True)
LOADING = "it is loading"
FAILED = "it failed to load; inference's log says why"
LOADED_FIRST: tuple[Kind, ...] = ("embedding", "rerank", "chat")
"""Embeddings first: documents can be ingested while the chat model is still loading."""


class ServedModel(Generic[AnyEngine]):
    """One model and its engine."""

    def __init__(self, model: Model, engine: AnyEngine, liveness: Liveness | None = None, created: int = 0) -> None:
        """`created`: when the model was declared, in Unix seconds."""
        self.model = model
        self._created = created
        begin_model(model.name, model.kind)
        self.engine = engine
        self.in_flight = InFlightCalls()
        self._liveness = liveness
        """Of an engine whose own probe does not have the model answer."""
        SILENT_SECONDS.labels(model.name).set_function(self.in_flight.silent_seconds)
        self._state: Literal["loading", "ready", "failed"] = "loading"
        self._why = LOADING
        self._code: str | None = None
        self._tokenizer: tuple[bytes, str] | None = None

    @property
    def name(self) -> str:
        """What callers write."""
        return self.model.name

    async def open(self) -> None:
        """Load; a failure is logged and remembered, so that the other models still serve."""
        READY.labels(self.name).set(0)
        try:
            await self.engine.open()
        except Exception as error:  # libraries fail to load in any way; others must still serve
            log.exception("model failed to load", model=self.name, exc_info=error)
            self._state = "failed"
            self._why, self._code = FAILED, None
            if isinstance(error, CannotLoad):
                self._why, self._code = f"it failed to load: {error}", error.code
        else:
            log.info("model ready", model=self.name, kind=self.model.kind)
            self._state = "ready"
            READY.labels(self.name).set(1)

    def ready(self) -> AnyEngine:
        """The engine; raises `ModelNotReady` while it is loading or when that failed."""
        if self._state != "ready":
            raise ModelNotReady(self.name, self._why, code=self._code)
        return self.engine

    async def load(self) -> None:
        """Have a model that is loaded when it is used take up its work; raises `ModelNotReady`."""
        if isinstance(engine := self.ready(), OnDemandEmbedding):
            await engine.load()

    @property
    def prefixes(self) -> Prefixes:
        """What goes before the texts of an embedding model: as it is declared, else as its own files say."""
        if self.model.prefixes is not None:
            return self.model.prefixes
        return self.engine.prefixes() if isinstance(self.engine, EmbeddingEngine) else NO_PREFIXES

    def tokenizer(self) -> tuple[bytes, str]:
        """`tokenizer.json` and its ETag; raises `NoTokenizer`."""
        if self._tokenizer is None:
            content = self.ready().tokenizer()
            if content is None:
                raise NoTokenizer(self.name)
            self._tokenizer = content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return self._tokenizer

    async def probe(self) -> None:
        """Raise unless it really answers; one that has not answered when the prober gives up is not ready, either."""
        answered = False
        try:
            await self.ready().probe()
            if self._liveness is not None:
                await self._liveness.check()
            answered = True
        finally:
            READY.labels(self.name).set(answered)

    @contextmanager
    def track(self) -> Iterator[None]:
        """A call's work with the model."""
        with self.in_flight.call():
            try:
                yield
            except ServiceError as error:
                self.record_failure(error)
                raise

    def record_failure(self, error: ServiceError) -> None:
        """A call ended so. If calls of a dead model do, the next probe asks it, however lately it answered."""
        if self._liveness is not None and isinstance(error, UpstreamFailed | UpstreamTimeout | NotReady):
            self._liveness.invalidate()

    def progress(self) -> None:
        """A piece of an answer came: proof enough of life."""
        self.in_flight.progress()
        if self._liveness is not None:
            self._liveness.record_progress()

    async def close(self) -> None:
        """Stop all work."""
        if self._liveness is not None:
            await self._liveness.close()
        await self.engine.close()

    @property
    def _readable(self) -> int | None:
        """Tokens of a caller's text that are read: what goes before it takes room, too."""
        limit = self.model.max_input_tokens
        return None if limit is None else max(1, limit - self.prefixes.room)

    def info(self) -> ModelInfo:
        """Its entry of `GET /v1/models`."""
        return ModelInfo(
            id=self.name,
            created=self._created,
            kind=self.model.kind,
            context_length=self.model.context_length or self._readable,
            answer_tokens=self.model.generation.max_tokens,
            dimensions=self.model.dimensions,
            languages=self.model.languages,
            unrelated_cosine=self.model.unrelated_cosine,
            asymmetric=self.prefixes != NO_PREFIXES or self.model.input_types is not None,
            default=self.model.default,
            packaged=self.model.packaged,
            tool_protocol=self.model.tools_by,
            quantization=self.model.quantization,
            state=self._state,
            price=self.model.price,
            limits=self.model.limits,
        )


class ServedModels:
    """All served models."""

    def __init__(
        self,
        chat: Sequence[ServedModel[ChatEngine]] = (),
        embedding: Sequence[ServedModel[EmbeddingEngine]] = (),
        rerank: Sequence[ServedModel[RerankEngine]] = (),
        *,
        probe_seconds: float = 20.0,
    ) -> None:
        self._chat = chat
        self._embedding = embedding
        self._rerank = rerank
        self._probe_seconds = probe_seconds
        self._loading: asyncio.Task[None] | None = None
        self._watching: list[asyncio.Task[None]] = []

    @property
    def all(self) -> Sequence[ServedModel[Engine]]:
        """Every model, in the order in which they are loaded."""
        by_kind: dict[Kind, Sequence[ServedModel[Engine]]] = {
            "chat": self._chat,
            "embedding": self._embedding,
            "rerank": self._rerank,
        }
        return [served for kind in LOADED_FIRST for served in by_kind[kind]]

    def chat(self, name: str) -> ServedModel[ChatEngine]:
        """The chat model of that name, or the default one; raises `ModelNotFound`."""
        return _find(self._chat, name, "chat")

    def embedding(self, name: str) -> ServedModel[EmbeddingEngine]:
        """The embedding model of that name, or the default one; raises `ModelNotFound`."""
        return _find(self._embedding, name, "embedding")

    def rerank(self, name: str) -> ServedModel[RerankEngine]:
        """The rerank model of that name, or the default one; raises `NoReranker` or `ModelNotFound`."""
        if not self._rerank:
            raise NoReranker
        return _find(self._rerank, name, "rerank")

    def any(self, name: str) -> ServedModel[Engine]:
        """The model of that name, whatever its kind; `default` means the default embedding model."""
        if name == "default":
            return self.embedding(name)
        return _find(self.all, name, "")

    def probes(self) -> Mapping[str, Probe]:
        """A probe for each model. One that is not the default of its kind is no reason to be unready."""
        return {f"model:{served.name}": _probe(served, self._is_needed(served)) for served in self.all}

    def start(self) -> None:
        """Begin to load, one after another, in the background; then watch over each."""
        self._loading = asyncio.create_task(self._load())

    async def loaded(self) -> None:
        """Return when each model is ready or has failed."""
        if self._loading is not None:
            await asyncio.shield(self._loading)

    async def close(self) -> None:
        """Stop all work."""
        background = [*self._watching, *([self._loading] if self._loading else [])]
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        for served in self.all:
            await served.close()

    async def _load(self) -> None:
        for served in self.all:
            await served.open()
            self._watching.append(asyncio.create_task(self._watch(served).run()))

    def _watch(self, served: ServedModel[Engine]) -> LivenessMonitor:
        fresh = served.model.probe_seconds or self._probe_seconds
        return LivenessMonitor(served.name, served.probe, every_seconds=fresh / 2)

    def _is_needed(self, served: ServedModel[Engine]) -> bool:
        alike = [other for other in self.all if other.model.kind == served.model.kind]
        return served.model.default or len(alike) == 1


def _find(models: Sequence[ServedModel[AnyEngine]], name: str, kind: str) -> ServedModel[AnyEngine]:
    for served in models:
        if served.name == name or (name == "default" and served.model.default):
            return served
    raise ModelNotFound(name, kind)


def _probe(served: ServedModel[Engine], needed: bool) -> Callable[[], Awaitable[None]]:
    async def probe() -> None:
        try:
            await served.probe()
        except ServiceError as error:
            if needed and error.code != EngineMissing.code:  # without a chat model answers are extractive
                raise
            raise Degraded(error.message) from None

    return probe
