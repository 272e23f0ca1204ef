from __future__ import annotations

import asyncio
import io

import pytest

from ingest.errors import FetchFailed, FetchTooLarge, UrlRefused
from ingest.ports import Fetched
from ingest.testing.pages import FixedPages
from servicekit.peers.address_policy import AddressPolicy

SITE = "https://example.org"
PAGES = {f"{SITE}/a.txt": (b"Words.", "text/plain"), f"{SITE}/large": (b"x" * 11, "")}


@pytest.fixture
def web() -> FixedPages:
    return FixedPages(PAGES, AddressPolicy.of("443"), limit=10)


async def test_a_page_is_given_by_its_url_without_a_fragment(web: FixedPages) -> None:
    into = io.BytesIO()
    assert await web.fetch(f"{SITE}/a.txt#top", into) == Fetched(f"{SITE}/a.txt", "a.txt", "text/plain")
    assert (into.getvalue(), web.fetched) == (b"Words.", 1)


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("https://127.0.0.1/", UrlRefused),
        (f"{SITE}:22/a.txt", UrlRefused),
        (f"{SITE}/none", FetchFailed),
        (f"{SITE}/large", FetchTooLarge),
    ],
)
async def test_what_the_web_refuses_is_refused_here(web: FixedPages, url: str, refusal: type[Exception]) -> None:
    into = io.BytesIO()
    with pytest.raises(refusal):
        await web.fetch(url, into)
    assert (into.getvalue(), web.fetched) == (b"", 0)


async def test_a_held_page_comes_when_it_is_let_go_and_a_refused_one_at_once(web: FixedPages) -> None:
    web.held = asyncio.Event()
    waiting = asyncio.create_task(web.fetch(f"{SITE}/a.txt", io.BytesIO()))
    with pytest.raises(UrlRefused):
        await web.fetch("https://127.0.0.1/", io.BytesIO())
    assert not waiting.done()
    web.held.set()
    assert (await waiting).filename == "a.txt"
