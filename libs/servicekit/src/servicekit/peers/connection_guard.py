"""Connections that can only be made to addresses that the policy allows, whatever DNS says and whenever it says it.

The check is made twice: on what a name resolves to, for a good error; and on the very address that a socket is about
to be opened for, which is what holds when an answer changes in between.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from servicekit.peers.address_policy import AddressPolicy, AddressRefused

LookUp = Callable[[str], Awaitable[list[str]]]
"""The addresses of a host; raises `OSError` for none."""
LOOK_UPS_AT_ONCE = 16
MAX_ADDRESSES = 8


class SystemLookUp:
    """Names as the system resolves them, in threads of its own: slow name servers must not hold those that write."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOK_UPS_AT_ONCE, thread_name_prefix="look-up")

    async def __call__(self, host: str) -> list[str]:
        """The addresses of a host."""

        def found() -> list[str]:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            return list(dict.fromkeys(str(info[4][0]) for info in infos))

        return await asyncio.get_running_loop().run_in_executor(self._threads, found)


class Guard(AbstractResolver):
    """What stands between one call and the network. `refused` is set where it stopped a connection."""

    def __init__(self, url: URL, policy: AddressPolicy, look_up: LookUp) -> None:
        self._host = url.raw_host or ""
        self._port = url.port or 0
        self._policy = policy
        self._look_up = look_up
        self.refused: AddressRefused | None = None

    def connector(self, *, pooled: bool = False) -> aiohttp.TCPConnector:
        """A connector for this one call: nothing is pooled, and no answer of DNS is kept. With `pooled` for any number
        of calls of the one host.
        """
        lasting: dict[str, Any] = {"limit": 0, "keepalive_timeout": 30} if pooled else {"limit": 1, "force_close": True}
        return aiohttp.TCPConnector(resolver=self, socket_factory=self._socket, use_dns_cache=False, **lasting)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The host's addresses that may be reached; raises `OSError` if there are none."""
        allowed = [text for text in (await self._look_up(host))[:MAX_ADDRESSES] if self._allows(text)]
        if not allowed:
            raise OSError("no address that may be reached")
        self.refused = None
        return [
            ResolveResult(
                hostname=host,
                host=text,
                port=port,
                family=socket.AF_INET6 if ":" in text else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for text in allowed
        ]

    async def close(self) -> None:
        """Nothing is kept open."""

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, endpoint = info
        if not self._allows(endpoint[0]):
            raise PermissionError("an address that may not be reached")
        return socket.socket(family, kind, protocol)

    def _allows(self, text: str) -> bool:
        try:
            self._policy.check(self._host, self._port, ip_address(text))
        except AddressRefused as refused:
            self.refused = refused
            return False
        return True
