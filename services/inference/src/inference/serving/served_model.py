"""One model that is served, with its engine: loading, ready or failed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

import structlog

from contracts.models.catalog import ModelInfo, ModelState
from contracts.models.reading import Reads
from contracts.models.versions import ModelVersion
from inference.catalog.identity import Identity
from inference.catalog.models_file import Model
from inference.engines.head.projection import OverEmbedding
from inference.engines.wrappers.on_demand import OnDemandEmbedding
from inference.errors import CannotLoad, ModelNotReady, NoTokenizer
from inference.metrics import READY, SILENT_SECONDS, begin_model
from inference.protocol.engines import ChatEngine, ClassificationEngine, EmbeddingEngine, Engine, ReadingEngine
from inference.protocol.prefixes import NO_PREFIXES, Prefixes
from inference.queueing.liveness import InFlightCalls, Liveness
from inference.serving.reading_speed import ReadingSpeed
from servicekit.core.errors import NotReady, ServiceError, UpstreamFailed, UpstreamTimeout

log = structlog.get_logger(__name__)
AnyEngine = TypeVar("AnyEngine", bound=Engine, covariant=True)
LOADING = "it is loading"
FETCHING = "it is loading: its files are looked for, and downloaded where they are not here"
FAILED = "it failed to load; inference's log says why"


@dataclass(frozen=True, slots=True)
class Declaration:
    """A model that is to be served; `created`: when it was declared, in Unix seconds."""

    model: Model
    created: int = 0
    is_added: bool = False
    """Whether by a call, not by the models file."""
    is_proven: bool = False
    """Whether it was loaded and has answered before it was declared: it need not be again before somebody asks it."""

    def is_served_alike(self, other: Declaration) -> bool:
        """Whether the one can take the other's place without being loaded anew."""
        return self.model.model_copy(update=_BESIDE) == other.model.model_copy(update=_BESIDE)

    def fingerprint(self, identity: Identity) -> str:
        """Of what is served: the same on every replica, another one for another declaration or other files."""
        declared = self.model.model_copy(update=_BESIDE).model_dump_json(exclude={"llamacpp": {"idle_seconds"}})
        text = "\0".join((declared, identity.digest or "", identity.revision or ""))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


_BESIDE = {"default": False, "price": None, "limits": None, "packaged": False, "tuned": None}
"""What a declaration says beside what the engine is made from."""


class Child(Protocol):
    """A process of its own that a model runs in."""

    @property
    def loaded(self) -> object:
        """What it was started with last: another value where the model's files are others."""
        ...

    @property
    def is_asleep(self) -> bool:
        """Whether it is ended until somebody asks the model."""
        ...

    @property
    def weights(self) -> Path | None:
        """The one file that it is of; none where it is of several."""
        ...


class ServedModel(Generic[AnyEngine]):
    """One model and its engine."""

    def __init__(
        self,
        declaration: Declaration,
        engine: AnyEngine,
        liveness: Liveness | None = None,
        identify: Callable[[], Identity] | None = None,
        closing: Callable[[], Awaitable[None]] | None = None,
        fetch: Callable[[], Awaitable[object]] | None = None,
        child: Child | None = None,
        learnt_on: Callable[[], Awaitable[tuple[Path, str]]] | None = None,
    ) -> None:
        """`identify` reads which files the model is of, and blocks; `closing` is called after the engine is closed;
        `fetch` downloads what may be missing of the files; `child` holds the model, where another
        process than this one does. `learnt_on` gives, of a model of another server, the file that tuning jobs learn on
        and its SHA-256; it raises `CannotLoad`."""
        self.learnt_on = learnt_on
        self._closing = closing
        self._fetch = fetch
        self.declaration = declaration
        self._identify = identify
        self.identity = Identity()
        self._fingerprint: str | None = None
        self._child = child
        self._identified: object = None
        """What was loaded of the files that were looked at."""
        self.has_answered = False
        """Whether somebody may have something of it."""
        model = declaration.model
        begin_model(model.name, model.kind)
        self.engine = engine
        self.in_flight = InFlightCalls()
        self.reading_speed = ReadingSpeed()
        self._liveness = liveness
        """Of an engine whose own probe does not have the model answer."""
        SILENT_SECONDS.labels(model.name).set_function(self.in_flight.silent_seconds)
        self._state: Literal["loading", "ready", "failed"] = "loading"
        self._why = LOADING
        self._code: str | None = None
        self._silent_because = ""
        self._opened = asyncio.Event()
        self._tokenizer: tuple[bytes, str] | None = None

    @property
    def model(self) -> Model:
        """As it is declared."""
        return self.declaration.model

    @property
    def name(self) -> str:
        """What callers write."""
        return self.model.name

    @property
    def state(self) -> ModelState:
        """What it does now. One that is loaded when it is used has failed where that did."""
        if self._late_failure is not None:
            return "failed"
        return "not_answering" if self._state == "ready" and self._silent_because else self._state

    @property
    def _late_failure(self) -> ModelNotReady | None:
        return self.engine.failure if isinstance(self.engine, OnDemandEmbedding) else None

    async def opened(self) -> None:
        """Return when it is loaded or has failed to load."""
        await self._opened.wait()

    async def identify(self) -> None:
        """Learn which files it is of; one that can't be told is none of a caller's concern, but has no fingerprint."""
        if self._identify is None or self._state != "ready":
            return
        loaded = self._loaded
        try:
            self.identity = await asyncio.to_thread(self._identify)
        except (CannotLoad, OSError) as error:
            log.warning("a model's files can't be told", model=self.name, error=repr(error)[:300])
        else:
            self._fingerprint, self._identified = self.declaration.fingerprint(self.identity), loaded

    @property
    def _loaded(self) -> object:
        return self._child.loaded if self._child is not None else None

    @property
    def weights(self) -> Path | None:
        """The file of a model that is one file in a process of its own."""
        return self._child.weights if self._child is not None else None

    @property
    def version(self) -> ModelVersion:
        """What each of its answers says of it: only its name where it was loaded again, maybe from other files."""
        if self._loaded != self._identified:
            return ModelVersion(self.name)
        return ModelVersion(self.name, self.identity.digest, self._fingerprint, self.model.adapter)

    @property
    def has_to_fetch(self) -> bool:
        """Whether `fetch` has something to look for."""
        return self._fetch is not None

    async def fetch(self) -> None:
        """Have the files on this machine; what goes wrong is as if loading did."""
        if self._fetch is not None:
            self._why = FETCHING
            await self._attempt(self._fetch())

    async def open(self) -> None:
        """Load; a failure is logged and remembered, so that the other models still serve."""
        READY.labels(self.name).set(0)
        if self._state == "loading":
            self._why = LOADING
            if await self._attempt(self.engine.open()):
                await self._measure()
                log.info("model ready", model=self.name, kind=self.model.kind)
                self._state = "ready"
                READY.labels(self.name).set(1)
        self._opened.set()

    async def _measure(self) -> None:
        """How fast it reads, of one with a process here; the packaged model's is known well enough."""
        is_awake = self._child is not None and not self._child.is_asleep
        if is_awake and isinstance(self.engine, ChatEngine) and not self.model.packaged:
            await self.reading_speed.measure(self.engine, self.name)

    async def _attempt(self, work: Awaitable[object]) -> bool:
        """Whether it succeeds."""
        try:
            await work
        except Exception as error:  # libraries fail to load in any way; others must still serve
            log.exception("model failed to load", model=self.name, exc_info=error)
            self._state = "failed"
            self._why, self._code = FAILED, None
            if isinstance(error, CannotLoad):
                self._why, self._code = f"it failed to load: {error}", error.code
            return False
        return True

    def ready(self) -> AnyEngine:
        """The engine; raises `ModelNotReady` while it is loading or when that failed."""
        if self._state != "ready":
            raise ModelNotReady(self.name, self._why, code=self._code)
        return self.engine

    async def load(self) -> None:
        """Have a model that is loaded when it is used take up its work; raises `ModelNotReady`."""
        if isinstance(engine := self.ready(), OnDemandEmbedding | OverEmbedding):
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
        silent_because = "it did not answer in time"
        try:
            await self.ready().probe()
            if self._liveness is not None:
                await self._liveness.check()
            silent_because = ""
            self.has_answered = True
            if self._fingerprint is not None and self._loaded != self._identified:
                await self.identify()
        except ServiceError as error:
            silent_because = error.message
            raise
        finally:
            self._silent_because = silent_because
            READY.labels(self.name).set(not silent_because)

    @contextmanager
    def track(self) -> Iterator[None]:
        """A call's work with the model."""
        with self.in_flight.call():
            try:
                yield
                self.has_answered = True
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
        if self._closing is not None:
            await self._closing()

    @property
    def readable(self) -> int | None:
        """Tokens of a caller's text that are read: what goes before it takes room, too."""
        limit = self.model.max_input_tokens
        return None if limit is None else max(1, limit - self.prefixes.room)

    @property
    def is_asymmetric(self) -> bool:
        """Whether an embedding model reads questions otherwise than passages."""
        said = self.prefixes != NO_PREFIXES or self.model.input_types is not None
        return said or isinstance(self.engine, OverEmbedding)

    @property
    def _embedding_model(self) -> str | None:
        """The model whose vectors it works with."""
        if isinstance(self.engine, OverEmbedding):
            return self.engine.embedding_model
        return self.engine.embedding_model() if isinstance(self.engine, ClassificationEngine) else None

    @property
    def _reads(self) -> list[Reads] | None:
        """What it can tell, once it is loaded."""
        return sorted(self.engine.reads()) or None if isinstance(self.engine, ReadingEngine) else None

    def info(self) -> ModelInfo:
        """Its entry of `GET /v1/models`."""
        state, late = self.state, self._late_failure
        classifier = self.engine if isinstance(self.engine, ClassificationEngine) else None
        why = late.message if late is not None else self._why
        return ModelInfo(
            id=self.name,
            created=self.declaration.created,
            kind=self.model.kind,
            context_length=self.model.context_length or self.readable,
            answer_tokens=self.model.generation.max_tokens,
            input_tokens_per_second=self.reading_speed.tokens_per_second,
            dimensions=self.model.dimensions,
            languages=self.model.languages,
            unrelated_cosine=self.model.unrelated_cosine,
            asymmetric=self.is_asymmetric,
            reads=self._reads,
            labels=list(labels) if (labels := classifier and classifier.labels()) else None,
            embedding_model=self._embedding_model,
            moderation=self.model.moderation,
            tenant=self.model.tenant,
            tuned=self.model.tuned,
            default=self.model.default,
            packaged=self.model.packaged,
            tool_protocol=self.model.tools_by,
            images=self.model.reads_images,
            quantization=self.model.quantization or self.identity.quantization,
            digest=self.version.digest,
            revision=self.identity.revision,
            fingerprint=self.version.fingerprint,
            added=self.declaration.is_added,
            state=state,
            asleep=self._child is not None and self._child.is_asleep,
            reason={"ready": None, "not_answering": self._silent_because}.get(state, why),
            price=self.model.price,
            limits=self.model.limits,
        )
