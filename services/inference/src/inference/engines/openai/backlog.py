"""How many calls wait inside a server that says so in its metrics: vLLM's `vllm:num_requests_waiting`, or llama.cpp's
`llamacpp:requests_deferred`.

Nobody waits for the answer: admission goes by what was last heard, and asks again in the background when that is old.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import structlog

from inference.metrics import ENGINE_WAITING
from servicekit.core.errors import ServiceError
from servicekit.peers.client import Peer

log = structlog.get_logger(__name__)
WAITING = re.compile(
    r"^(?:vllm:num_requests_waiting|llamacpp:requests_deferred)(?:\{([^}]*)\})? ([0-9.e+]+)$", re.MULTILINE
)
REFRESH_SECONDS = 0.5
"""What was heard longer ago is asked for again."""
BELIEVED_SECONDS = 10.0
"""What was heard longer ago than this is not believed: the server may be empty by now, or away."""
ASK_SECONDS = 2.0


class EngineBacklog:
    """The line inside one server, full when `most` calls of the model wait in it."""

    def __init__(
        self,
        model: str,
        peer: Peer,
        *,
        upstream_model: str,
        most: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._peer = peer
        self._upstream_model = upstream_model
        self._most = most
        self._now = now
        self._heard: int | None = None
        self._heard_at = -BELIEVED_SECONDS
        self._since = 0
        self._asking: asyncio.Task[None] | None = None

    def full(self) -> bool:
        """Whether `most` calls wait, by what was last heard and what went there since."""
        age = self._now() - self._heard_at
        if age > REFRESH_SECONDS and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self.ask())
        if self._heard is None or age > BELIEVED_SECONDS:
            return False
        # An engine that has a line puts what comes into it; one that has none may take much at once.
        return self._heard + (self._since if self._heard else 0) >= self._most

    def entered(self) -> None:
        """Count one call until the server does."""
        self._since += 1

    async def ask(self) -> None:
        """Read the server's metrics; a failure leaves what was heard to grow old."""
        sent = self._since
        try:
            async with asyncio.timeout(ASK_SECONDS):
                answer = await self._peer.send("GET", "", timeout_seconds=ASK_SECONDS)
        except (ServiceError, TimeoutError) as error:
            log.warning("an engine's metrics can't be read", model=self._model, error=repr(error))
            return
        self._heard = waiting_in(answer.body.decode("utf-8", "replace"), self._upstream_model)
        self._heard_at = self._now()
        self._since -= sent
        if self._heard is not None:
            ENGINE_WAITING.labels(self._model).set(self._heard)

    async def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)


def waiting_in(metrics: str, model: str) -> int | None:
    """Calls that wait, over all of the server's engines; those of `model` where it names models. None if it says
    nothing of them.
    """
    found = [(labels or "", float(value)) for labels, value in WAITING.findall(metrics)]
    named = [value for labels, value in found if f'model_name="{model}"' in labels]
    return round(sum(named or [value for _, value in found])) if found else None
