"""A web of fixed pages, for tests and trials: the same policy, no network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from ingest.errors import FetchFailed, FetchTooLarge, UrlRefused
from ingest.ports import Fetched
from servicekit.peers.address_policy import AddressPolicy, AddressRefused


@dataclass
class FixedPages:
    """Serves `pages`, each a body with its Content-Type, by URL."""

    pages: Mapping[str, tuple[bytes, str]]
    policy: AddressPolicy
    limit: int = 1024 * 1024
    fetched: int = 0
    """Pages given so far."""
    held: asyncio.Event | None = None
    """Where it is set, no page is given before this event is."""

    async def fetch(self, url: str, into: BinaryIO) -> Fetched:
        """Write a page to `into`; see `Fetcher`."""
        try:
            target = self.policy.target(url)
        except AddressRefused as refused:
            raise UrlRefused(refused) from None
        if self.held is not None:
            await self.held.wait()
        if str(target) not in self.pages:
            raise FetchFailed("the far server answered with status 404")
        body, declared = self.pages[str(target)]
        if len(body) > self.limit:
            raise FetchTooLarge(self.limit)
        self.fetched += 1
        into.write(body)
        return Fetched(str(target), target.name, declared)
