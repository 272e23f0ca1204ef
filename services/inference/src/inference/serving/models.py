"""The models being served: found by name and kind, taken up and let go while the service runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar, cast

import structlog

from inference.catalog.models_file import Kind
from inference.errors import EngineMissing, ModelNotFound, NoReader, NoReranker
from inference.metrics import end_model
from inference.protocol.engines import (
    ChatEngine,
    ClassificationEngine,
    EmbeddingEngine,
    Engine,
    ReadingEngine,
    RerankEngine,
)
from inference.queueing.liveness import LivenessMonitor
from inference.serving.served_model import Declaration, ServedModel
from servicekit.core.errors import ServiceError
from servicekit.core.probes import Degraded, Probe

log = structlog.get_logger(__name__)
AnyEngine = TypeVar("AnyEngine", bound=Engine)
LOADED_FIRST: tuple[Kind, ...] = ("embedding", "rerank", "reading", "classification", "chat")
"""Embeddings first: documents can be ingested while the chat model is still loading."""
ARRIVAL_SECONDS = 1.0
"""A call that has found its model begins within it."""
LONGEST_CALL_SECONDS = 900.0
"""How long calls under way keep a model that was removed or replaced."""


class ServedModels:
    """All served models. `make` makes one of a declaration, not loaded yet.

    One takes the place of another of its name once it is loaded, or has failed to; calls under way end on the old one.
    """

    def __init__(
        self, make: Callable[[Declaration], ServedModel[Engine]] | None = None, *, probe_seconds: float = 20.0
    ) -> None:
        self._make = make
        self._probe_seconds = probe_seconds
        self._serving: dict[str, ServedModel[Engine]] = {}
        self._coming: dict[str, ServedModel[Engine]] = {}
        self._work: dict[ServedModel[Engine], asyncio.Task[None]] = {}
        """Of each, what loads it and then watches over it."""
        self._leaving: dict[ServedModel[Engine], asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._one_download = asyncio.Lock()

    @property
    def all(self) -> Sequence[ServedModel[Engine]]:
        """Every model, in the order in which they are loaded."""
        return _in_order(self._serving.values())

    def chat(self, name: str) -> ServedModel[ChatEngine]:
        """The chat model of that name, or the default one; raises `ModelNotFound`."""
        return cast("ServedModel[ChatEngine]", self._find(name, "chat"))

    def embedding(self, name: str) -> ServedModel[EmbeddingEngine]:
        """The embedding model of that name, or the default one; raises `ModelNotFound`."""
        return cast("ServedModel[EmbeddingEngine]", self._find(name, "embedding"))

    def rerank(self, name: str) -> ServedModel[RerankEngine]:
        """The rerank model of that name, or the default one; raises `NoReranker` or `ModelNotFound`."""
        return cast("ServedModel[RerankEngine]", self._find(name, "rerank", NoReranker))

    def reading(self, name: str) -> ServedModel[ReadingEngine]:
        """The reading model of that name, or the default one; raises `NoReader` or `ModelNotFound`."""
        return cast("ServedModel[ReadingEngine]", self._find(name, "reading", NoReader))

    def classification(self, name: str) -> ServedModel[ClassificationEngine]:
        """The classification model of that name, or the default one; raises `ModelNotFound`."""
        return cast("ServedModel[ClassificationEngine]", self._find(name, "classification"))

    def any(self, name: str) -> ServedModel[Engine]:
        """The model of that name, whatever its kind; `default` means the default embedding model."""
        found = self._serving.get(name)
        if found is not None:
            return found
        if name == "default":
            return self._find(name, "embedding")
        raise ModelNotFound(name, "")

    def declared(self, name: str) -> ServedModel[Engine]:
        """The model as it was declared last, though it may be loading while another of its name still answers."""
        return self._coming.get(name) or self.any(name)

    def probes(self) -> Mapping[str, Probe]:
        """A probe for each model. One that is not the default of its kind is no reason to be unready."""
        return {f"model:{served.name}": _probe(served, self._is_needed(served)) for served in self.all}

    def apply(self, declarations: Iterable[Declaration]) -> None:
        """Serve these models and no others: new ones are loaded in the background, those that weigh one after another,
        and then watched over; those that are declared no more are let go."""
        wanted = {declaration.model.name: declaration for declaration in declarations}
        for name in self._serving.keys() - wanted.keys():
            self._let_go(self._serving.pop(name))
            if (coming := self._coming.pop(name, None)) is not None:
                self._let_go(coming)
            end_model(name)
        new = [served for declaration in wanted.values() if (served := self._taken_up(declaration)) is not None]
        for served in _in_order(new):
            self._work[served] = asyncio.create_task(self._serve(served))

    async def loaded(self) -> None:
        """Return when each model is ready or has failed."""
        await asyncio.gather(*(served.opened() for served in (*self._serving.values(), *self._coming.values())))

    async def close(self) -> None:
        """Stop all work."""
        open_still = {*self._serving.values(), *self._coming.values(), *self._leaving}
        background = [*self._work.values(), *self._leaving.values()]
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        for served in open_still:
            await served.close()

    def _find(self, name: str, kind: Kind, none: Callable[[], ServiceError] | None = None) -> ServedModel[Engine]:
        """Raises `none()` where there is no model of the kind at all."""
        of_kind = [served for served in self._serving.values() if served.model.kind == kind]
        for served in of_kind:
            if served.name == name or (name == "default" and served.model.default):
                return served
        if none is not None and not of_kind:
            raise none()
        raise ModelNotFound(name, kind)

    def _taken_up(self, declaration: Declaration) -> ServedModel[Engine] | None:
        """The model that has to be loaded for a declaration; None where what there is does. One that failed is tried
        again: its files may have come."""
        name = declaration.model.name
        latest = self._coming.get(name) or self._serving.get(name)
        is_alike = latest is not None and latest.declaration.is_served_alike(declaration)
        if latest is not None and is_alike and latest.state != "failed":
            latest.declaration = declaration
            return None
        assert self._make is not None
        served = self._make(declaration)
        if name not in self._serving:
            self._serving[name] = served
            return served
        if (overtaken := self._coming.get(name)) is not None:
            self._let_go(overtaken)
        self._coming[name] = served
        return served

    async def _serve(self, served: ServedModel[Engine]) -> None:
        if served.has_to_fetch:  # before it has its turn: a slow download keeps no other from being loaded
            async with self._one_download:
                await served.fetch()
        async with nullcontext() if served.model.is_light else self._one_at_a_time:
            await served.open()
        if self._coming.get(served.name) is served:
            del self._coming[served.name]
            self._let_go(self._serving[served.name])
            self._serving[served.name] = served
        await served.identify()
        fresh = served.model.probe_seconds or self._probe_seconds
        await LivenessMonitor(served.name, served.probe, every_seconds=fresh / 2).run()

    def _let_go(self, served: ServedModel[Engine]) -> None:
        task = self._leaving[served] = asyncio.create_task(self._close_after_its_calls(served))
        task.add_done_callback(lambda _: self._leaving.pop(served, None))

    async def _close_after_its_calls(self, served: ServedModel[Engine]) -> None:
        """What loads in a thread can't be stopped: it is waited for, so that nothing of it stays."""
        work = self._work.pop(served, None)
        if work is not None:
            if served.state == "loading":
                await served.opened()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        await asyncio.sleep(ARRIVAL_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_CALL_SECONDS):
                await served.in_flight.ended()
        await served.close()
        log.info("model let go", model=served.name)

    def _is_needed(self, served: ServedModel[Engine]) -> bool:
        """An added model is not: a call must not make the whole service unready."""
        if served.declaration.is_added:
            return False
        alike = [other for other in self.all if other.model.kind == served.model.kind]
        return served.model.default or len(alike) == 1


def _in_order(models: Iterable[ServedModel[Any]]) -> list[ServedModel[Any]]:
    """Added models last: no call may keep the operator's own from being loaded."""
    return sorted(models, key=lambda served: (served.declaration.is_added, LOADED_FIRST.index(served.model.kind)))


def _probe(served: ServedModel[Engine], needed: bool) -> Callable[[], Awaitable[None]]:
    async def probe() -> None:
        try:
            await served.probe()
        except ServiceError as error:
            if needed and error.code != EngineMissing.code:  # without a chat model answers are extractive
                raise
            raise Degraded(error.message) from None

    return probe
