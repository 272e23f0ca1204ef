"""The models being served: found by name and kind, taken up and let go while the service runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import nullcontext

import structlog

from contracts.access.delegation import INSTALLATION_TENANT
from inference.errors import EngineMissing
from inference.metrics import end_model
from inference.protocol.engines import Engine
from inference.queueing.liveness import LivenessMonitor
from inference.serving.lookup import ModelLookup, in_order
from inference.serving.served_model import Declaration, ServedModel
from servicekit.core.errors import ServiceError
from servicekit.core.probes import Degraded, Probe

log = structlog.get_logger(__name__)
ARRIVAL_SECONDS = 1.0
"""A call that has found its model begins within it."""
LONGEST_CALL_SECONDS = 900.0
"""How long calls under way keep a model that was removed or replaced."""


class ServedModels(ModelLookup):
    """All served models. `make` makes one of a declaration, not loaded yet.

    One takes the place of another of its name once it is loaded, or has failed to; calls under way end on the old one.
    A tuned one that has failed does not: its version before is about to be declared again.
    """

    def __init__(
        self, make: Callable[[Declaration], ServedModel[Engine]] | None = None, *, probe_seconds: float = 20.0
    ) -> None:
        super().__init__({})
        self._make = make
        self._probe_seconds = probe_seconds
        self._coming: dict[str, ServedModel[Engine]] = {}
        self._work: dict[ServedModel[Engine], asyncio.Task[None]] = {}
        """Of each, what loads it and then watches over it."""
        self._leaving: dict[ServedModel[Engine], asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._one_download = asyncio.Lock()

    def visible_to(self, tenant: str) -> ModelLookup:
        """What a tenant's keys may see: its own models, and everybody's. The gateway, for nobody, sees all."""
        if tenant == INSTALLATION_TENANT:
            return self
        return ModelLookup({name: one for name, one in self._serving.items() if one.model.tenant in (None, tenant)})

    def adapters(self) -> set[str]:
        """The digests, in hexadecimal, of what tuning jobs have learnt that models are declared with."""
        models = [served.model for served in (*self._serving.values(), *self._coming.values())]
        return {source.sha256 for model in models for source in model.learnt}

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
        for served in in_order(new):
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

    def _taken_up(self, declaration: Declaration) -> ServedModel[Engine] | None:
        """The model that has to be loaded for a declaration; None where what there is does. One that failed is tried
        again: its files may have come."""
        name = declaration.model.name
        if self._comes_back(declaration):
            return None
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

    def _comes_back(self, declaration: Declaration) -> bool:
        """Whether the model that still answers is meant again, in place of one that was to follow it."""
        name = declaration.model.name
        serving = self._serving.get(name)
        if name not in self._coming or serving is None or serving.state == "failed":
            return False
        if not serving.declaration.is_served_alike(declaration):
            return False
        self._let_go(self._coming.pop(name))
        serving.declaration = declaration
        return True

    async def _serve(self, served: ServedModel[Engine]) -> None:
        if served.has_to_fetch:  # before it has its turn: a slow download keeps no other from being loaded
            async with self._one_download:
                await served.fetch()
        async with nullcontext() if served.model.is_light else self._one_at_a_time:
            await served.open()
        is_kept_out = served.state == "failed" and served.model.tuned is not None
        if self._coming.get(served.name) is served and not is_kept_out:
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
        """An added model is not: a call must not make the whole service unready. Nor is a judge: it is away when the
        chat model is that it asks, and answers do without it, but not without embeddings."""
        if served.declaration.is_added or served.model.engine == "judge":
            return False
        alike = [one for one in self.all if one.model.kind == served.model.kind and not one.declaration.is_added]
        return served.model.default or len(alike) == 1


def _probe(served: ServedModel[Engine], needed: bool) -> Callable[[], Awaitable[None]]:
    async def probe() -> None:
        try:
            await served.probe()
        except ServiceError as error:
            if needed and error.code != EngineMissing.code:  # without a chat model answers are extractive
                raise
            raise Degraded(error.message) from None

    return probe
