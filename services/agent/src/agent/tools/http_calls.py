"""Calls of the HTTP tools: hosts of a list, addresses that the operator's policy allows, bounded in size and time."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
import structlog
from yarl import URL

from agent.tools.tool import OutcomeUnknown, ToolFailed
from servicekit.peers.address_policy import AddressPolicy, AddressRefused
from servicekit.peers.connection_guard import Guard, LookUp, SystemLookUp

log = structlog.get_logger(__name__)
MAX_REDIRECTS = 3
MOVED = (301, 302, 303, 307, 308)
PLAIN_PORTS = (80, 443)
CONNECT_SECONDS = 5.0
PIECE = 64 * 1024
READABLE = ("text/", "application/json", "application/xml", "application/xhtml+xml", "application/javascript")


class HttpCalls:
    """What the tools share: the policy, the limits, and how names are resolved."""

    def __init__(self, policy: AddressPolicy, seconds: float, max_bytes: int, look_up: LookUp | None = None) -> None:
        self.policy = policy
        self.seconds = seconds
        self.max_bytes = max_bytes
        self.look_up = look_up or SystemLookUp()

    async def send(
        self, method: str, url: str, hosts: Sequence[str], headers: dict[str, str], body: bytes | None
    ) -> str:
        """The answer as text; raises `ToolFailed`. A GET follows redirects, each of which is checked like the first."""
        target = self._check(url, hosts)
        for _ in range(MAX_REDIRECTS + 1):
            status, kind, content, location = await self._once(method, target, headers, body)
            if status not in MOVED or method != "GET":
                return _describe_answer(status, kind, content)
            try:
                target = self._check(str(target.join(URL(location))), hosts)
            except ValueError:
                raise ToolFailed("The answer leads to a URL that makes no sense.") from None
        raise ToolFailed(f"The URL leads on more than {MAX_REDIRECTS} times.")

    def _check(self, url: str, hosts: Sequence[str]) -> URL:
        try:
            target = self.policy.target(url)
        except AddressRefused as refused:
            raise ToolFailed(f"This URL is not called: {refused.why}.") from None
        host = target.raw_host or ""
        named = host if target.port in PLAIN_PORTS else f"{host}:{target.port}"
        if named not in hosts:
            raise ToolFailed(f"'{named[:100]}' is not one of this agent's hosts: {', '.join(hosts)}.")
        return target

    async def _once(
        self, method: str, target: URL, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, str, bytes, str]:
        guard = Guard(target, self.policy, self.look_up)
        limit = aiohttp.ClientTimeout(total=self.seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=guard.connector(), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, timeout=limit
                ) as session,
                session.request(method, target, headers=headers, data=body, allow_redirects=False) as answer,
            ):
                kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                content = b"" if answer.status in MOVED else await self._read(answer)
                return answer.status, kind, content, answer.headers.get("Location", "")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.info("http tool failed", host=target.raw_host, error=repr(error)[:200])
            if guard.refused is not None:
                raise ToolFailed(f"This URL is not called: {guard.refused.why}.") from None
            if isinstance(error, TimeoutError):
                raise TimeoutError from None
            if method == "GET" or isinstance(error, aiohttp.ClientConnectorError):
                raise ToolFailed("The host can't be reached, or broke off.") from None
            raise OutcomeUnknown("The host broke off: whether it took the call is not known.") from None

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in answer.content.iter_chunked(PIECE):
            size += len(piece)
            if size > self.max_bytes:
                raise ToolFailed(f"The answer is larger than {self.max_bytes:,} bytes.")
            pieces.append(piece)
        return b"".join(pieces)


def _describe_answer(status: int, kind: str, content: bytes) -> str:
    if content and not (kind.startswith(READABLE) or kind.endswith(("+json", "+xml"))):
        return f"HTTP {status}, {len(content):,} bytes of {kind or 'an unnamed type'}, which can't be read as text."
    text = content.decode("utf-8", "replace")
    if status >= 400:
        raise ToolFailed(f"HTTP {status}\n{text[:2000]}")
    return f"HTTP {status}\n{text}"
