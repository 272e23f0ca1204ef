from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.streaming.citation_links import CitationLinks, address_of

PATH = "/v1/collections/a/documents/d%20e/content"


def _links(**headers: str) -> CitationLinks:
    return CitationLinks(_scope(**{"host": "docs.example:8080", **headers}))


def _scope(**headers: str) -> dict[str, Any]:
    return {"scheme": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_the_link_of_a_citation_begins_at_the_address_that_the_caller_used(separators: tuple[str, str]) -> None:
    cited = {"annotations": [{"url_citation": {"url": PATH, "title": PATH}}], "url": "https://other.example/page"}
    sent = json.loads(_links().absolute(json.dumps(cited, separators=separators).encode()))
    assert sent["annotations"][0]["url_citation"] == {"url": f"http://docs.example:8080{PATH}", "title": PATH}
    assert sent["url"] == "https://other.example/page"


def test_words_of_an_answer_that_look_like_a_link_stay_as_they_are() -> None:
    said = json.dumps({"content": json.dumps({"url": PATH}), "url": "/v1/collections/a"}).encode()
    assert _links().absolute(said) == said


@pytest.mark.parametrize("escaped", [False, True])
def test_what_a_caller_has_kept_names_no_host(escaped: bool) -> None:
    body = _links().absolute(json.dumps({"url": PATH}).encode())
    given = body.replace(b"/", b"\\/") if escaped else body
    assert json.loads(_links().relative(given)) == {"url": PATH}


def test_a_link_to_another_host_stays_what_it_is() -> None:
    body = json.dumps({"url": f"https://other.example{PATH}"}).encode()
    assert _links().relative(body) == body


@pytest.mark.parametrize("host", ["", 'a"b', "a b", "a/b", "a\\", "[::1", "a:123456", "x" * 300])
def test_a_host_that_is_none_leaves_the_path(host: str) -> None:
    assert _links(host=host).absolute(json.dumps({"url": PATH}).encode()) == json.dumps({"url": PATH}).encode()


def test_an_address_may_be_one_of_ipv6_and_a_prefix_must_be_a_path() -> None:
    assert address_of(_scope(host="[::1]:80")) == "http://[::1]:80"
    assert address_of(_scope(host="a", **{"x-forwarded-prefix": '/x"'})) == ""


def test_hostile_bodies_take_linear_time() -> None:
    hostile = b'"url":"' * 200_000 + b"/v1/collections/" * 50_000 + b"://"
    assert _links().absolute(hostile) == hostile
    assert _links().relative(hostile) == hostile
