"""How many documents are fetched at once, for whom, and what is counted of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from ingest.errors import FetchesBusy, FetchTimeout
from ingest.fetch.service import FetchService
from ingest.testing.pages import FixedPages
from servicekit.core.errors import ServiceError
from servicekit.peers.address_policy import AddressPolicy

SITE = "https://example.org"


async def test_more_urls_than_may_be_fetched_are_told_so_or_wait_until_their_deadline(tmp_path: Path) -> None:
    web = FixedPages({f"{SITE}/": (b"Words.", "")}, AddressPolicy.of("443"), held=asyncio.Event())
    fetching = FetchService(web, tmp_path / "fetching", 1, 30)
    entered = fetching.document("a", f"{SITE}/").__aenter__()
    first = asyncio.ensure_future(entered)
    await asyncio.sleep(0)
    with pytest.raises(FetchesBusy) as busy:
        async with fetching.document("b", f"{SITE}/"):
            pass
    assert busy.value.headers()["Retry-After"]
    with pytest.raises(FetchTimeout):
        async with fetching.document("b", f"{SITE}/", deadline=asyncio.get_running_loop().time()):
            pass
    assert web.held is not None
    web.held.set()
    fetched, content = await first
    assert (fetched.url, content.seek(0), content.read()) == (f"{SITE}/", 0, b"Words.")


async def test_each_fetch_is_counted_with_its_outcome_and_bytes(tmp_path: Path) -> None:
    def counted() -> dict[str, float]:
        outcomes = ("fetched", "refused", "failed", "too_large", "timeout", "left")
        found = {each: _figure("fetches_total", outcome=each) for each in outcomes}
        return {**found, "bytes": _figure("fetch_bytes_total"), "seconds": _figure("fetch_seconds_count")}

    async def fetch(url: str, deadline: float | None = None) -> None:
        async with fetching.document("a", url, deadline):
            pass

    web = FixedPages({f"{SITE}/": (b"Words.", ""), f"{SITE}/big": (b"a" * 11, "")}, AddressPolicy.of("443"), limit=10)
    fetching = FetchService(web, tmp_path / "fetching", 4, 30)
    before = counted()
    await fetch(f"{SITE}/")
    for url in ("https://127.0.0.1/", f"{SITE}/missing", f"{SITE}/big"):
        with pytest.raises(ServiceError):
            await fetch(url)
    web.held = asyncio.Event()
    with pytest.raises(FetchTimeout):
        await fetch(f"{SITE}/", asyncio.get_running_loop().time())
    left = asyncio.ensure_future(fetch(f"{SITE}/"))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait({left})
    risen = {name: value - before[name] for name, value in counted().items()}
    each = dict.fromkeys(("fetched", "refused", "failed", "too_large", "timeout", "left"), 1)
    assert risen == {**each, "bytes": len(b"Words."), "seconds": 6}


def _figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"groundwork_ingest_{name}", labels) or 0.0
