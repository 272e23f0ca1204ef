from __future__ import annotations

import gzip

import httpx2
import pytest

from webconsole.assets import FOLDER, load_assets

VERSION = load_assets()["version"].body
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_a_browser_that_asks_for_the_root_is_sent_on_and_a_program_is_not(public: httpx2.AsyncClient) -> None:
    sent = await public.get("/", headers=PAGE)
    assert (sent.status_code, sent.headers["location"], sent.headers["vary"]) == (307, "console/", "Accept")
    program = await public.get("/")
    assert (program.status_code, program.json()["error"]["code"]) == (404, "not_found")
    assert (await public.get("/console")).headers["location"] == "console/"


async def test_the_page_needs_no_key_and_runs_nothing_but_its_own_files(public: httpx2.AsyncClient) -> None:
    answer = await public.get("/console/")
    plain = answer.content.replace(VERSION + b"/", b"").replace(VERSION, b"")
    assert (answer.status_code, plain) == (200, (FOLDER / "index.html").read_bytes())
    assert plain != answer.content, "it names the version of its files"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_browser_asks_again_for_the_page_and_never_for_what_is_in_a_folder_of_its_version(
    public: httpx2.AsyncClient,
) -> None:
    versioned = await public.get(f"/console/{VERSION.decode()}/app/main.js")
    assert "immutable" in versioned.headers["cache-control"]
    plain = await public.get("/console/app/main.js")
    assert (plain.headers["cache-control"], plain.content) == ("no-cache", versioned.content)
    page = await public.get("/console/")
    assert page.headers["cache-control"] == "no-cache"
    again = await public.get("/console/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_files_are_sent_compressed_to_who_takes_it(public: httpx2.AsyncClient) -> None:
    path = "/console/console.css"
    async with public.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join([piece async for piece in answer.aiter_raw()])
    plain = await public.get(path, headers={"Accept-Encoding": "identity"})
    assert gzip.decompress(packed) == plain.content
    assert "content-encoding" not in plain.headers


OTHERS = ["vendor/manifest.json", "../pyproject.toml", "nothing.js", "vendor", "0" * 20 + "/app/main.js"]


@pytest.mark.parametrize("path", OTHERS)
async def test_nothing_but_the_files_of_pages_is_given_out(public: httpx2.AsyncClient, path: str) -> None:
    assert (await public.get(f"/console/{path}")).status_code in (400, 404)
