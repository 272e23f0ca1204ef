"""Commands without a collection, and with one that is not there, say which there are."""

from __future__ import annotations

import httpx2
import pytest
from cli.tests.server import Serve, collection, error, page
from cli.tests.terminal import run, sentence

UNKNOWN = "There is no collection 'x'. GET /v1/collections lists them; POST /v1/collections makes one."
NAMED = "There are: a, b (`groundwork collection list`)."
NONE = "There is no collection yet; `groundwork ingest FILE… -c NAME` makes one from documents."
OF_ONE = {
    "search": ["search", "words"],
    "ask": ["ask", "why?"],
    "summary": ["summary", "doc"],
}
EVERY = {
    **{name: [*words, "-c", "x"] for name, words in OF_ONE.items()},
    "documents": ["collection", "documents", "x"],
    "delete": ["collection", "delete", "x"],
    "reindex": ["reindex", "x"],
    "backup": ["backup", "x", "x.zip"],
    "generate": ["questions", "generate", "s", "x"],
}


def _server(*names: str, otherwise: httpx2.Response | None = None):  # type: ignore[no-untyped-def]
    """Collections of these names; all else is answered as said, else that there is no such collection."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET" and request.url.path == "/v1/collections":
            return page(*(collection(name=name) for name in names))
        return otherwise or error(404, "collection_not_found", UNKNOWN)

    return answer


@pytest.mark.parametrize("command", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize(("names", "said"), [(("a", "b"), NAMED), ((), NONE)])
def test_of_a_collection_that_is_not_there_every_command_names_those_that_are(
    serve: Serve, command: list[str], names: tuple[str, ...], said: str
) -> None:
    serve(_server(*names))
    assert sentence(*command).startswith(f"There is no collection 'x'. {said} [collection_not_found")


@pytest.mark.parametrize("command", OF_ONE.values(), ids=OF_ONE)
def test_without_a_name_the_only_collection_is_taken_and_said(serve: Serve, command: list[str]) -> None:
    serve(_server("club", otherwise=error(429, "busy")))
    done = run(*command)
    assert done.stderr.startswith("In 'club', the only collection.\nIt went wrong. [busy")


@pytest.mark.parametrize("command", OF_ONE.values(), ids=OF_ONE)
@pytest.mark.parametrize(
    ("names", "said"),
    [(("a", "b"), f"Say which collection: -c NAME. {NAMED}"), ((), NONE)],
)
def test_without_a_name_and_not_just_one_collection_it_is_asked_for(
    serve: Serve, command: list[str], names: tuple[str, ...], said: str
) -> None:
    serve(_server(*names))
    assert sentence(*command) == said


def test_a_name_that_no_collection_can_have_is_none(serve: Serve) -> None:
    serve(_server("a", "b"))
    for name in ("rag:a", "", "A b"):
        assert sentence("ask", "why?", "-c", "a", "-c", name) == f"There is no collection '{name}'. {NAMED}"


def test_many_collections_are_not_all_listed(serve: Serve) -> None:
    serve(_server(*(f"c{number:02}" for number in range(50))))
    said = sentence("search", "words", "-c", "x")
    assert "c19, … (`groundwork collection list`)." in said
    assert "c20" not in said


def test_a_key_that_may_not_list_collections_gets_what_the_server_said(serve: Serve) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/collections":
            return error(403, "scope_missing", "Your key may not.")
        return error(404, "collection_not_found", UNKNOWN)

    serve(answer)
    assert sentence("ask", "why?", "-c", "x").startswith(
        "There is no collection 'x'. `groundwork collection list` lists them; `groundwork collection create` makes one."
    )
    assert sentence("ask", "why?") == "Say which collection: -c NAME. This key may not list them."
