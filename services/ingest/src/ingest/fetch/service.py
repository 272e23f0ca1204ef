"""Documents by URL: how many are fetched at once, for whom, how long, and where the bytes are kept meanwhile."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from ingest import metrics
from ingest.errors import FarServerFailed, FetchesBusy, FetchFailed, FetchTimeout, FetchTooLarge, UrlRefused
from ingest.ports import Fetched, Fetcher
from ingest.tenant_slots import TenantSlots


class FetchService:
    """Fetches documents into temporary files that vanish by themselves, also when the process dies."""

    def __init__(self, fetcher: Fetcher, folder: Path, at_once: int, seconds: float) -> None:
        self._fetcher = fetcher
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._slots = TenantSlots(at_once, max(1, at_once // 2), FetchesBusy)
        self.seconds = seconds
        """Longest for one document, or for all of a batch."""

    @asynccontextmanager
    async def document(
        self, tenant: str, url: str, deadline: float | None = None
    ) -> AsyncIterator[tuple[Fetched, BinaryIO]]:
        """The document and its bytes, while the block lasts.

        With a `deadline` (the event loop's time) it waits for a free slot as long as that allows; without one it
        raises `FetchesBusy`. Raises what `Fetcher.fetch` does.
        """
        seconds = self.seconds if deadline is None else deadline - asyncio.get_running_loop().time()
        with tempfile.TemporaryFile(dir=self._folder) as content:
            async with AsyncExitStack() as stack:
                with _measured(content):
                    try:
                        async with asyncio.timeout(seconds):
                            await stack.enter_async_context(self._slots.taken(tenant, wait=deadline is not None))
                            fetched = await self._fetcher.fetch(url, content)
                    except TimeoutError:
                        raise FetchTimeout(self.seconds) from None
                yield fetched, content


_OUTCOMES: dict[type[BaseException], str] = {
    UrlRefused: "refused",
    FetchFailed: "failed",
    FarServerFailed: "failed",
    FetchTooLarge: "too_large",
    FetchTimeout: "timeout",
    FetchesBusy: "busy",
    asyncio.CancelledError: "left",
}


@contextmanager
def _measured(content: BinaryIO) -> Iterator[None]:
    """Count one fetch and how it ends; `left` is one whose caller went away."""
    began, outcome = time.perf_counter(), "fetched"
    try:
        yield
        metrics.FETCH_BYTES.inc(content.seek(0, os.SEEK_END))
    except BaseException as error:
        outcome = _OUTCOMES.get(type(error), "failed")
        raise
    finally:
        metrics.FETCHES.labels(outcome).inc()
        metrics.FETCH_SECONDS.observe(time.perf_counter() - began)
