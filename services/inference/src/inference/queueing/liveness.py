"""Whether a model really answers: by its own work while it has some, else by asking it something small."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog

from contracts.models.chat import ChatRequest
from inference.errors import ModelNotReady
from servicekit.core.errors import InvalidRequest, QueueFull, ServiceError
from servicekit.core.probes import run_within

log = structlog.get_logger(__name__)
PROBE = ChatRequest.model_validate(
    {"model": "probe", "messages": [{"role": "user", "content": "Are you there?"}], "max_tokens": 1}
)
"""What a chat model is asked: one token."""


PROBE_TIMEOUT_SECONDS = 10.0
"""For one answer to the watch."""


class InFlightCalls:
    """The calls that a model has, and when one of them last moved on."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._calls = 0
        self._none = asyncio.Event()
        self._none.set()
        self._last_progress = now()

    async def ended(self) -> None:
        """Return when there are none."""
        await self._none.wait()

    def begin(self) -> None:
        """A call came in."""
        if not self._calls:
            self._last_progress = self._now()  # until now it had nothing to do
        self._calls += 1
        self._none.clear()

    def progress(self) -> None:
        """A piece of an answer came."""
        self._last_progress = self._now()

    def end(self) -> None:
        """A call is over, however it ended."""
        self._calls -= 1
        if not self._calls:
            self._none.set()

    @contextmanager
    def call(self) -> Iterator[None]:
        """A call that is answered whole."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def silent_seconds(self) -> float:
        """How long nothing has come though there are calls; 0 without calls."""
        return self._now() - self._last_progress if self._calls else 0.0


class Liveness:
    """Answers `check` cheaply: recent progress is proof enough, and one question at a time is asked.

    A model that is busy is not asked (the question would only wait in the queue); it must show progress instead.
    """

    def __init__(
        self,
        model: str,
        *,
        ask: Callable[[], Awaitable[object]],
        busy: Callable[[], bool],
        fresh_seconds: float,
        stalled_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._probe = ask
        self._busy = busy
        self._fresh = fresh_seconds
        self._stalled = stalled_seconds
        self._now = now
        self._last: float | None = None
        self._seen_busy: float | None = None
        """When it was first seen busy since its last progress: before that it may have had nothing to do."""
        self._probing: asyncio.Task[None] | None = None

    def record_progress(self) -> None:
        """The model just did something: a token, a batch."""
        self._last = self._now()
        self._seen_busy = None

    def invalidate(self) -> None:
        """A call failed as calls of a dead model do: what it did before proves nothing any more."""
        self._last = None

    async def check(self) -> None:
        """Return if the model answers; raise what it raised, or `ModelNotReady` when it is stalled."""
        now = self._now()
        if self._last is not None and now - self._last < self._fresh:
            return
        if self._probing is None or self._probing.done():
            if self._busy() and self._last is not None:
                self._check_progress(now)
                return
            self._probing = asyncio.create_task(self._probe_once())
        await asyncio.shield(self._probing)  # a prober that gives up must not undo the question

    async def close(self) -> None:
        """Stop asking."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    def _check_progress(self, now: float) -> None:
        if self._seen_busy is None:
            self._seen_busy = now
        silent = now - self._seen_busy
        if silent >= self._stalled:
            raise ModelNotReady(self._model, f"it is busy and has made no progress for {silent:.0f} s")

    async def _probe_once(self) -> None:
        try:
            await self._probe()
        except QueueFull:  # it has so much to do that it takes no question; whether it does it shows
            self._check_progress(self._now())
            return
        except InvalidRequest as refused:  # a server that takes no question so small has read it, at least
            log.info("probe refused", model=self._model, why=refused.message)
        self.record_progress()


class LivenessMonitor:
    """Has a model answer again and again, so that logs and metrics tell of one that hangs though nobody asks."""

    def __init__(self, model: str, probe: Callable[[], Awaitable[None]], *, every_seconds: float) -> None:
        self._model = model
        self._probe = probe
        self._every = every_seconds
        self._is_silent = False

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(self._every)
            self._log_change(await self._probe_within_time())

    async def _probe_within_time(self) -> str:
        """Why it does not answer; empty when it does."""
        try:
            await run_within(PROBE_TIMEOUT_SECONDS, self._probe)
        except TimeoutError:
            return f"no answer within {PROBE_TIMEOUT_SECONDS:g} s"
        except ServiceError as error:
            return error.message
        except Exception as error:  # noqa: BLE001  # the task's outermost loop: it must go on, whatever a probe raised
            return repr(error)
        return ""

    def _log_change(self, why: str) -> None:
        if why and not self._is_silent:
            log.warning("model stopped answering", model=self._model, why=why)
        elif self._is_silent and not why:
            log.info("model answers again", model=self._model)
        self._is_silent = bool(why)
