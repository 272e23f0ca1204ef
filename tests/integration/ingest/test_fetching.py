"""Documents by URL from real servers on loopback: what is fetched, and all that must not be."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp.abc import ResolveResult
from tests.support.ingest.peers import Peers, ingest_home, until
from tests.support.network.far_server import PAGE, FarServer, far_server, self_signed

from ingest.errors import FarServerFailed, FetchFailed, FetchTimeout, FetchTooLarge, UrlRefused
from ingest.fetch.service import FetchService
from ingest.fetch.web_fetcher import WebFetcher
from ingest.ports import Fetched, Fetcher
from ingest.testing.pages import FixedPages
from servicekit.core.errors import ServiceError
from servicekit.peers.address_policy import AddressPolicy
from servicekit.peers.connection_guard import Guard

LIMIT = 1_000_000
SECONDS = 60.0


class Names:
    """A name server whose answers change: each look at a name takes the next one, the last for good."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.looks = 0

    async def __call__(self, host: str) -> list[str]:
        self.looks += 1
        if host not in self.answers:
            raise OSError("no such name")
        answers = self.answers[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
async def server() -> AsyncIterator[FarServer]:
    async with far_server() as running:
        yield running


def trusting(server: FarServer) -> WebFetcher:
    """Allows this server by the name `pages.test`, and nothing else that is not public; its port is a usual one."""
    policy = AddressPolicy.of(f"80,{server.port}", f"pages.test:{server.port}")
    return WebFetcher(policy, LIMIT, 5, Names(pages_test=[["127.0.0.1"]], inner_test=[["127.0.0.1"]]))


async def got(fetcher: Fetcher, url: str) -> tuple[Fetched, bytes]:
    with tempfile.TemporaryFile() as into:
        fetched = await fetcher.fetch(url, into)
        into.seek(0)
        return fetched, into.read()


async def rule(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(UrlRefused) as refused:
        await fetcher.fetch(url, io.BytesIO())
    message = refused.value.message
    assert "127.0.0.1" not in message
    return str(refused.value.rule)


@pytest.mark.parametrize("adapter", ["web", "fixed"])
async def test_every_fetcher_keeps_its_promises(server: FarServer, adapter: str) -> None:
    pages = {server.url("/page.html"): (PAGE.encode(), "text/html"), server.url("/endless"): (b"x" * (LIMIT + 1), "")}
    policy = AddressPolicy.of(f"80,{server.port}", f"pages.test:{server.port}")
    fetcher: Fetcher = trusting(server) if adapter == "web" else FixedPages(pages, policy, LIMIT)
    fetched, body = await got(fetcher, server.url("/page.html#top"))
    assert fetched == Fetched(server.url("/page.html"), "page.html", "text/html")
    assert body == PAGE.encode()
    with pytest.raises(FetchFailed):
        await fetcher.fetch(server.url("/status?status=404"), io.BytesIO())
    with pytest.raises(FetchTooLarge):
        await fetcher.fetch(server.url("/endless"), io.BytesIO())
    assert await rule(fetcher, server.url("/page.html", "127.0.0.1")) == "loopback"


async def test_a_far_server_learns_nothing_but_the_url(server: FarServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await got(trusting(server), server.url(f"/to?url={quote('/page.html')}"))
    assert [request.path for request in server.seen] == ["/to", "/page.html"]
    for request in server.seen:
        assert set(request.headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}
        assert request.headers["User-Agent"].startswith("Groundwork/")


async def test_the_last_url_and_what_its_server_says_are_told(server: FarServer) -> None:
    fetched, body = await got(trusting(server), server.url(f"/to?status=308&url={quote('named')}"))
    assert (fetched, body) == (Fetched(server.url("/named"), "rü.md", "application/x"), b"# R")
    _, body = await got(trusting(server), server.url("/compressed"))
    assert body == PAGE.encode()


FORMS = [
    "127.0.0.1",
    "localhost",
    "localhost.",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.1",
    "127.1",
    "①②⑦.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "0.0.0.0",
    "[::]",
    "user:pass@pages.test",
    "inner.test",
]


@pytest.mark.parametrize("host", FORMS)
async def test_no_spelling_of_this_machine_is_reached(server: FarServer, host: str) -> None:
    refused = await rule(trusting(server), server.url("/page.html", host))
    assert refused in ("loopback", "numeric_host", "embedded", "unspecified", "credentials")
    assert server.seen == []


@pytest.mark.parametrize("host", FORMS)
async def test_no_redirect_leads_to_this_machine(server: FarServer, host: str) -> None:
    inner = quote(server.url("/page.html", host), safe="")
    refused = await rule(trusting(server), server.url(f"/to?url={inner}"))
    assert refused in ("loopback", "numeric_host", "embedded", "unspecified", "credentials")
    assert [request.path for request in server.seen] == ["/to"]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("file:///etc/passwd", "scheme"),
        ("http://169.254.169.254/latest/meta-data/", "link_local"),
        ("//[fd00:ec2::254]/", "private"),
        ("http://10.0.0.1:22/", "port"),
        ("", "malformed"),
    ],
)
async def test_a_redirect_is_checked_like_the_first_url(server: FarServer, location: str, expected: str) -> None:
    assert await rule(trusting(server), server.url(f"/to?url={quote(location, safe='')}")) == expected
    assert len(server.seen) == 1


async def test_an_answer_of_dns_that_changes_is_checked_each_time() -> None:
    async with far_server("127.0.0.2") as server:
        names = Names(pages_test=[["127.0.0.2"], ["127.0.0.1"]])
        policy = AddressPolicy.of(str(server.port), networks="127.0.0.2/32")
        fetcher = WebFetcher(policy, LIMIT, 5, names)
        assert await rule(fetcher, server.url("/to?url=/page.html")) == "loopback"
        assert (names.looks, [request.path for request in server.seen]) == (2, ["/to"])


async def test_only_those_addresses_of_a_name_are_called_that_are_allowed() -> None:
    async with far_server("127.0.0.2") as server:
        names = Names(pages_test=[["127.0.0.1", "10.0.0.1", "127.0.0.2"]])
        fetcher = WebFetcher(AddressPolicy.of(str(server.port), networks="127.0.0.2/32"), LIMIT, 5, names)
        assert (await got(fetcher, server.url("/page.html")))[1] == PAGE.encode()


async def test_the_address_is_checked_again_where_the_connection_is_made(
    server: FarServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def changed(self: Guard, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)]

    monkeypatch.setattr(Guard, "resolve", changed)  # as if the name had been looked up once more after the check
    assert await rule(trusting(server), server.url("/page.html", "inner.test")) == "loopback"
    assert server.seen == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/status?status=403", FetchFailed),
        ("/status?status=410", FetchFailed),
        ("/status?status=204", FarServerFailed),
        ("/status?status=304", FarServerFailed),
        ("/status?status=429", FarServerFailed),
        ("/status?status=500", FarServerFailed),
        ("/loop", FetchFailed),
        ("/count?n=6", FetchFailed),
        ("/long-header", FarServerFailed),
        ("/headers?n=200", FarServerFailed),
        ("/cut", FarServerFailed),
        ("/bomb", FetchTooLarge),
        ("/declared", FetchTooLarge),
    ],
)
async def test_what_a_far_server_may_do_wrong_has_a_name(
    server: FarServer, path: str, expected: type[ServiceError]
) -> None:
    with pytest.raises(expected) as error:
        await trusting(server).fetch(server.url(path), io.BytesIO())
    assert error.value.code in ("fetch_failed", "too_large")


async def test_five_redirects_are_followed(server: FarServer) -> None:
    assert (await got(trusting(server), server.url("/count?n=5")))[1] == PAGE.encode()


async def test_servers_that_cannot_be_reached_are_told_apart(server: FarServer) -> None:
    fetcher = trusting(server)
    with pytest.raises(FarServerFailed, match="does not speak TLS"):
        await fetcher.fetch(server.url("/page.html").replace("http:", "https:"), io.BytesIO())


async def test_a_name_that_resolves_inside_is_refused_in_the_words_of_one_that_does_not(server: FarServer) -> None:
    said = set()
    for url in (
        "http://nowhere.test/",
        "http://127.0.0.1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://[::1]/",
    ):
        with pytest.raises(UrlRefused) as refused:
            await trusting(server).fetch(url, io.BytesIO())
        said.add((refused.value.http_status, refused.value.code, refused.value.message))
    assert len(said) == 1


async def test_a_server_that_never_ends_is_left_in_time(server: FarServer, tmp_path: Path) -> None:
    fetching = FetchService(trusting(server), tmp_path, 2, 0.3)
    async with asyncio.timeout(SECONDS):
        with pytest.raises(FetchTimeout):
            async with fetching.document("acme", server.url("/drip")):
                pass
    fetching.seconds = SECONDS
    async with fetching.document("acme", server.url("/page.html")) as (fetched, _):  # the place is free again
        assert fetched.declared == "text/html"
    assert not any(await asyncio.to_thread(lambda: list(tmp_path.iterdir())))


async def test_a_document_by_url_and_a_batch_become_ready_through_the_processes(
    server: FarServer, tmp_path: Path
) -> None:
    def run() -> None:
        with ingest_home(tmp_path / "home", Peers(), "redis://127.0.0.1:1/0") as home:
            home.settings["INGEST_URL_ALLOWED_HOSTS"] = f"localhost:{server.port}"
            home.api()
            home.worker()
            with home.client() as client:
                documents = "/v1/collections/handbook/documents"
                assert client.post("/v1/collections", json={"name": "handbook"}).status_code == 201
                url = server.url("/page.html", "localhost")
                accepted = client.post(documents, json={"url": url, "document_id": "leave"})
                assert accepted.status_code == 202, accepted.text
                refused = client.post(documents, json={"url": server.url("/page.html", "127.0.0.1")})
                assert (refused.status_code, refused.json()["error"]["code"]) == (400, "url_refused")
                batch = client.post(f"{documents}:batch", json={"documents": [{"url": url}, {"text": "Words."}]})
                assert batch.status_code == 202, batch.text
                jobs = [accepted.json()["job"], *(result["job"] for result in batch.json()["results"])]
                for job in jobs:
                    path = f"/v1/jobs/{job['id']}"
                    until(lambda path=path: client.get(path).json()["status"] == "ready", "the job is ready")  # type: ignore[misc]
                shown = client.get(f"{documents}/leave").json()
                assert (shown["title"], shown["source"], shown["media_type"]) == ("Leave", url, "text/html")
                assert client.get(f"{documents}/leave/text").text.endswith("Ten days of leave.")

    await asyncio.to_thread(run)


async def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tmp_path: Path) -> None:
    async with far_server(tls=self_signed(tmp_path, "pages.test")) as server:
        with pytest.raises(FarServerFailed, match="certificate can't be verified"):
            await trusting(server).fetch(server.url("/page.html").replace("http:", "https:"), io.BytesIO())
        assert server.seen == []
