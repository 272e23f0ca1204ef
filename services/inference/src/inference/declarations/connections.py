"""Connections to the servers of models: those of an added one are checked."""

from __future__ import annotations

import aiohttp
from yarl import URL

from inference.declarations.restrictions import Restrictions
from servicekit.peers.client import open_session
from servicekit.peers.connection_guard import Guard


class Connections:
    """Of one model: the service's for one of the models file; for an added one its own, each of which is checked when
    it is made."""

    def __init__(self, shared: aiohttp.ClientSession, restrictions: Restrictions | None) -> None:
        self._shared = shared
        self._restrictions = restrictions
        self._own: dict[tuple[str | None, int | None], aiohttp.ClientSession] = {}

    def to(self, url: str) -> aiohttp.ClientSession:
        """What connects to the host of a URL."""
        if self._restrictions is None:
            return self._shared
        target = URL(url)
        host = target.host, target.port
        if host not in self._own:
            guard = Guard(target, self._restrictions.policy, self._restrictions.look_up)
            self._own[host] = open_session(connector=guard.connector(pooled=True))
        return self._own[host]

    async def close(self) -> None:
        """Close its own."""
        for session in self._own.values():
            await session.close()


def unpooled() -> aiohttp.ClientSession:
    """For llama.cpp's servers, which close a connection after its hundredth call without a word: a call that is on its
    way by then would fail. A new one on loopback costs less than a millisecond."""
    return open_session(connector=aiohttp.TCPConnector(limit=0, force_close=True))
