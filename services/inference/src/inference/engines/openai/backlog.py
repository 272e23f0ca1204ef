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
    """The queue inside one server, full when `most` calls of the model wait in it."""

    def __init__(
        self,
        model: str,
        peer: Peer,
        *,
        upstream_model: str,
        most: int,
        token: str | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._peer = peer
        self._upstream_model = upstream_model
        self._most = most
        self._token = token
        self._now = now
        self._reported: int | None = None
        self._reported_at = -BELIEVED_SECONDS
        self._sent_since = 0
        self._refreshing: asyncio.Task[None] | None = None

    def is_full(self) -> bool:
        """Whether `most` calls wait, by what was last heard and what went there since."""
        age = self._now() - self._reported_at
        if age > REFRESH_SECONDS and (self._refreshing is None or self._refreshing.done()):
            self._refreshing = asyncio.create_task(self.refresh())
        if self._reported is None or age > BELIEVED_SECONDS:
            return False
        # An engine that has a queue puts what comes into it; one that has none may take much at once.
        return self._reported + (self._sent_since if self._reported else 0) >= self._most

    def add(self) -> None:
        """Count one call until the server does."""
        self._sent_since += 1

    async def refresh(self) -> None:
        """Read the server's metrics; a failure leaves what was heard to grow old."""
        sent = self._sent_since
        try:
            async with asyncio.timeout(ASK_SECONDS):
                answer = await self._peer.send("GET", "", token=self._token, timeout_seconds=ASK_SECONDS)
        except (ServiceError, TimeoutError) as error:
            log.warning("an engine's metrics can't be read", model=self._model, error=repr(error))
            return
        self._reported = waiting_in(answer.body.decode("utf-8", "replace"), self._upstream_model)
        self._reported_at = self._now()
        self._sent_since -= sent
        if self._reported is not None:
            ENGINE_WAITING.labels(self._model).set(self._reported)

    async def close(self) -> None:
        """Stop asking."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)


def waiting_in(metrics: str, model: str) -> int | None:
    """Calls that wait, over all of the server's engines; those of `model` where it names models. None if it says
    nothing of them.
    """
    found = [(labels or "", float(value)) for labels, value in WAITING.findall(metrics)]
    named = [value for labels, value in found if f'model_name="{model}"' in labels]
    return round(sum(named or [value for _, value in found])) if found else None
