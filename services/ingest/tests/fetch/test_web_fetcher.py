"""What a fetcher makes of addresses, redirects and answers, on a web without a network."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict
from yarl import URL

from ingest.errors import FarServerFailed, FetchFailed, FetchTimeout, FetchTooLarge, UrlRefused
from ingest.fetch import web_fetcher
from ingest.fetch.web_fetcher import WebFetcher
from ingest.ports import Fetched
from servicekit.core.errors import ServiceError
from servicekit.peers.address_policy import AddressPolicy

SITE = "https://example.org"
KEY = ConnectionKey("example.org", 443, True, True, None, None, None)


class Answer:
    """What a far server says."""

    def __init__(self, status: int = 200, body: bytes = b"Words.", **headers: str) -> None:
        self.status = status
        self.headers = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
        length = self.headers.get("Content-Length")
        self.content_length = int(length) if length else None
        self.content = self
        self._body = body

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), size):
            yield self._body[at : at + size]


class Web:
    """Answers by URL; keeps what it was asked."""

    def __init__(self, **pages: Answer | Exception) -> None:
        self.pages = {f"{SITE}/{name}": page for name, page in pages.items()}
        self.asked: list[str] = []

    @asynccontextmanager
    async def get(self, url: URL, *, allow_redirects: bool) -> AsyncIterator[Answer]:
        assert not allow_redirects
        self.asked.append(str(url))
        page = self.pages[str(url)]
        if isinstance(page, Exception):
            raise page
        yield page


Fetch = Callable[..., Any]


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Fetch one of some pages, and give what came of it."""

    async def fetch(web: Web, page: str, redirects: int = 2) -> tuple[Fetched, bytes]:
        @asynccontextmanager
        async def session(_: object) -> AsyncIterator[Web]:
            yield web

        monkeypatch.setattr(web_fetcher, "_session", session)
        into = io.BytesIO()
        fetcher = WebFetcher(AddressPolicy.of("443"), 1000, redirects)
        return await fetcher.fetch(page if "://" in page else f"{SITE}/{page}", into), into.getvalue()

    return fetch


async def test_a_page_is_told_by_its_url_its_name_and_its_type(fetch: Fetch) -> None:
    web = Web(**{"a%20b.txt": Answer(Content_Type="Text/Plain; charset=utf-8")})
    fetched, body = await fetch(web, "a%20b.txt#top")
    assert (fetched, body) == (Fetched(f"{SITE}/a%20b.txt", "a b.txt", "text/plain"), b"Words.")


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="plan.pdf"', "plan.pdf"),
        ("attachment; filename*=UTF-8''r%C3%BC.md", "rü.md"),
        ("inline", "page"),
        ("attachment; filename*=nonsense''x%ff", "x\xff"),
        ("attachment; filename*=", "page"),
        ("\xff\r\nX: y", "page"),
        ("", "page"),
    ],
)
async def test_a_name_that_the_server_gives_wins_where_it_can_be_read(
    fetch: Fetch, disposition: str, name: str
) -> None:
    fetched, _ = await fetch(Web(page=Answer(Content_Disposition=disposition)), "page")
    assert fetched.filename == name


async def test_redirects_are_followed_relative_ones_too_and_only_so_many(fetch: Fetch) -> None:
    web = Web(
        one=Answer(301, Location="/two"),
        two=Answer(308, Location=f"{SITE}/three"),
        three=Answer(),
        loop=Answer(302, Location="loop"),
    )
    assert (await fetch(web, "one"))[0].url == f"{SITE}/three"
    with pytest.raises(FetchFailed, match="redirected more than 2 times"):
        await fetch(web, "loop")
    with pytest.raises(FetchFailed, match="more than 0 times"):
        await fetch(web, "one", redirects=0)


@pytest.mark.parametrize(
    ("location", "rule"),
    [
        ("http://127.0.0.1:443/", "loopback"),
        ("//10.0.0.1/", "private"),
        ("file:///etc/passwd", "scheme"),
        ("https://u:p@example.org/", "credentials"),
        ("https://example.org:22/", "port"),
        ("http://[", "malformed"),
        ("", "malformed"),
    ],
)
async def test_where_a_redirect_leads_is_checked_like_the_first_url(fetch: Fetch, location: str, rule: str) -> None:
    web = Web(one=Answer(302, Location=location))
    with pytest.raises(UrlRefused, match="leads by a redirect") as refused:
        await fetch(web, "one")
    assert (refused.value.rule, web.asked) == (rule, [f"{SITE}/one"])


async def test_nothing_is_asked_of_a_url_that_is_refused(fetch: Fetch) -> None:
    web = Web()
    with pytest.raises(UrlRefused, match=r"^This URL is not fetched"):
        await fetch(web, "https://127.0.0.1/")
    assert web.asked == []


@pytest.mark.parametrize(
    ("status", "becomes"),
    [
        (404, FetchFailed),
        (401, FetchFailed),
        (408, FarServerFailed),
        (425, FarServerFailed),
        (429, FarServerFailed),
        (500, FarServerFailed),
        (204, FarServerFailed),
        (206, FarServerFailed),
        (304, FarServerFailed),
    ],
)
async def test_only_a_whole_document_will_do_and_whose_matter_it_is_is_told(
    fetch: Fetch, status: int, becomes: type[ServiceError]
) -> None:
    with pytest.raises(becomes, match=f"status {status}"):
        await fetch(Web(page=Answer(status)), "page")


async def test_a_document_is_bounded_by_what_is_declared_and_by_what_comes(fetch: Fetch) -> None:
    for answer in (Answer(Content_Length="1001"), Answer(body=b"x" * 1001)):
        with pytest.raises(FetchTooLarge):
            await fetch(Web(page=answer), "page")
    assert (await fetch(Web(page=Answer(body=b"x" * 1000)), "page"))[1] == b"x" * 1000


SECRET = OSError(111, "10.0.0.7 refused")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (aiohttp.ClientConnectorCertificateError(KEY, ValueError("10.0.0.7")), "certificate can't be verified"),
        (aiohttp.ClientConnectorSSLError(KEY, SECRET), "does not speak TLS"),
        (aiohttp.ClientConnectorError(KEY, SECRET), "does not accept connections"),
        (aiohttp.ServerDisconnectedError("10.0.0.7"), "broke off"),
        (SECRET, "broke off"),
    ],
)
async def test_a_failure_is_told_in_our_words_which_name_no_address(fetch: Fetch, error: Exception, says: str) -> None:
    with pytest.raises(FarServerFailed, match=says) as failed:
        await fetch(Web(page=error), "page")
    assert "10.0.0.7" not in failed.value.message


async def test_a_name_that_is_not_there_is_refused_like_one_that_may_not_be_reached(fetch: Fetch) -> None:
    web = Web(page=aiohttp.ClientConnectorDNSError(KEY, SECRET))
    with pytest.raises(UrlRefused) as missing:
        await fetch(web, "page")
    with pytest.raises(UrlRefused) as inside:
        await fetch(web, "https://10.0.0.1/")
    assert missing.value.message == inside.value.message
    assert missing.value.rule == "not_found"


async def test_a_server_that_says_nothing_is_a_timeout(fetch: Fetch) -> None:
    with pytest.raises(FetchTimeout):
        await fetch(Web(page=TimeoutError()), "page")
