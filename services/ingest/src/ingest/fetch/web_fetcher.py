"""The web as a source of documents: aiohttp, connecting only to addresses that the policy has checked."""

from __future__ import annotations

import asyncio
import re
from email.message import Message
from typing import BinaryIO
from urllib.parse import unquote

import aiohttp
import structlog
from yarl import URL

from ingest.errors import FarServerFailed, FetchFailed, FetchTimeout, FetchTooLarge, UrlRefused
from ingest.fetch.decompression import Sink
from ingest.ports import Fetched
from servicekit.peers.address_policy import AddressPolicy, AddressRefused
from servicekit.peers.connection_guard import Guard, LookUp, SystemLookUp

log = structlog.get_logger(__name__)
HEADERS = {
    "User-Agent": "Groundwork/1 (document fetcher)",
    "Accept": "text/html,application/pdf,text/plain;q=0.9,*/*;q=0.8",
    "Accept-Encoding": "gzip",
}
MOVED = (301, 302, 303, 307, 308)
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 15.0
PIECE = 256 * 1024
MAX_HEADER_BYTES = 8190
MAX_HEADERS = 100


class NoSuchHost(Exception):
    """The name of a URL's host does not resolve."""


class WebFetcher:
    """Fetches with GET, without cookies, credentials or proxies; a connection serves one call only."""

    def __init__(
        self, policy: AddressPolicy, max_bytes: int, max_redirects: int, look_up: LookUp | None = None
    ) -> None:
        """`max_bytes` bounds the body both as sent and as it is after decompression."""
        self._policy = policy
        self._max_bytes = max_bytes
        self._max_redirects = max_redirects
        self._look_up = look_up or SystemLookUp()

    async def fetch(self, url: str, into: BinaryIO) -> Fetched:
        """Write what is behind the URL to `into`; see `Fetcher`."""
        try:
            target = self._policy.target(url)
            answered = await self._call(target, into)
        except (AddressRefused, NoSuchHost) as refused:
            raise _refused(refused, redirected=False) from None
        if isinstance(answered, Fetched):
            return answered
        try:
            return await self._follow(target, answered, into)
        except (AddressRefused, NoSuchHost) as refused:
            raise _refused(refused, redirected=True) from None

    async def _follow(self, url: URL, location: str, into: BinaryIO) -> Fetched:
        """Go where redirects lead; each is checked like the first URL."""
        for _ in range(self._max_redirects):
            url = self._policy.target(_joined(url, location))
            answered = await self._call(url, into)
            if isinstance(answered, Fetched):
                return answered
            location = answered
        raise FetchFailed(f"it is redirected more than {self._max_redirects} times")

    async def _call(self, url: URL, into: BinaryIO) -> Fetched | str:
        """One call: the document, or the `Location` of a redirect."""
        guard = Guard(url, self._policy, self._look_up)
        try:
            async with _session(guard) as session, session.get(url, allow_redirects=False) as response:
                if response.status in MOVED:
                    return response.headers.get("Location", "")
                _check_status(response.status)
                await self._receive(response, into)
                return _described(url, response)
        except TimeoutError:
            raise FetchTimeout(SILENCE_SECONDS) from None
        except (aiohttp.ClientError, OSError) as error:
            log.info("fetch failed", host=url.raw_host, error=repr(error)[:300])
            raise guard.refused or _failure(error) from None

    async def _receive(self, response: aiohttp.ClientResponse, into: BinaryIO) -> None:
        sink = Sink(into, self._max_bytes, response.headers.get("Content-Encoding", ""))
        if (response.content_length or 0) > self._max_bytes:
            raise FetchTooLarge(self._max_bytes)
        async for piece in response.content.iter_chunked(PIECE):
            await asyncio.to_thread(sink.write, piece)
        sink.end()


def _session(guard: Guard) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=guard.connector(),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=HEADERS,
        auto_decompress=False,
        trust_env=False,
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS),
    )


def _joined(url: URL, location: str) -> str:
    """Where a `Location` leads from `url`; empty, which no policy allows, where it makes no sense."""
    try:
        return str(url.join(URL(location.strip()))) if location else ""
    except (ValueError, UnicodeError):
        return ""


def _check_status(status: int) -> None:
    """Only a whole document will do."""
    if status == 200:
        return
    why = f"the far server answered with status {status}"
    if 400 <= status < 500 and status not in (408, 425, 429):
        raise FetchFailed(why)
    raise FarServerFailed(why)


def _described(url: URL, response: aiohttp.ClientResponse) -> Fetched:
    declared = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    named = _attachment(response.headers.get("Content-Disposition", ""))
    return Fetched(str(url), named or unquote(url.raw_name), declared)


def _attachment(disposition: str) -> str:
    """The file name in a Content-Disposition; empty where there is none that can be read."""
    message = Message()
    message["Content-Disposition"] = re.sub(r"[^\x20-\x7e]", "", disposition)[:1000]
    try:
        return message.get_filename("")
    except (ValueError, LookupError):
        return ""


def _refused(refused: AddressRefused | NoSuchHost, *, redirected: bool) -> UrlRefused:
    """One error for hosts that may not be reached and for those that are not there; the log tells them apart."""
    error = UrlRefused(refused if isinstance(refused, AddressRefused) else None, redirected=redirected)
    log.info("url refused", rule=error.rule)
    return error


def _failure(error: Exception) -> NoSuchHost | FarServerFailed:
    """What to tell the caller of the HTTP client's error: none of its words, which may name addresses."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NoSuchHost()
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return FarServerFailed("the far server's certificate can't be verified")
    if isinstance(error, aiohttp.ClientSSLError):
        return FarServerFailed("the far server does not speak TLS there")
    if isinstance(error, aiohttp.ClientConnectorError):
        return FarServerFailed("the far server does not accept connections")
    return FarServerFailed("the far server broke off or did not answer in HTTP")
