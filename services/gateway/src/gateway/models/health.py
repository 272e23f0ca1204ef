"""What inference's readiness says of each model, read every few seconds and never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from pydantic import ValidationError

from contracts.core.health import Health
from gateway.storage.ttl_cache import TtlCache
from servicekit.core.clock import Clock
from servicekit.core.errors import ServiceError
from servicekit.peers.client import Peer

log = structlog.get_logger(__name__)
READ_SECONDS = 5.0
TIMEOUT_SECONDS = 5.0
PART = "model:"


class UpstreamHealth:
    """The models that inference calls ready, and those that it does not."""

    def __init__(self, inference: Peer, clock: Clock) -> None:
        self._inference = inference
        self._read: TtlCache[None, Mapping[str, bool]] = TtlCache(
            self._ask, seconds=READ_SECONDS, capacity=1, clock=clock
        )
        self._tasks: set[asyncio.Task[Mapping[str, bool]]] = set()

    def known(self) -> Mapping[str, bool]:
        """As last read; reads anew in the background if that is too long ago."""
        if not self._tasks:
            task = asyncio.ensure_future(self._read.get(None))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._read.last(None) or {}

    async def now(self) -> Mapping[str, bool]:
        """Read within the last seconds."""
        return await self._read.get(None)

    async def _ask(self, _: None) -> Mapping[str, bool]:
        try:
            async with self._inference.stream(
                "GET", "/readyz", timeout_seconds=TIMEOUT_SECONDS, check_status=False
            ) as stream:
                body = b"".join([piece async for piece in stream.pieces()])
            parts = Health.model_validate_json(body).parts
        except (ServiceError, ValidationError) as error:
            log.warning("readiness of models unknown", error=str(error)[:200])
            return {}
        return {name.removeprefix(PART): not part.detail for name, part in parts.items() if name.startswith(PART)}
