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
MORE = {
    "records": ["records", "list", "-c", "x"],
    "monitor": ["evaluation", "monitor", "add", "m", "--collection", "x"],
    "tune": ["tune", "start", "s", "m", "--method", "rerank", "--collection", "x"],
    "eval": ["eval", "x", "set:s"],
    "sweep": ["eval", "sweep", "x", "s", "--set", "mode=hybrid"],
    "sweeps": ["evaluation", "sweep", "list", "-c", "x"],
}
"""Those whose collection goes into what is asked, not into a path."""
IMPOSSIBLE = ("a/b", "../models", "..", ".", "", "rag:a", "A b", "x. GET /v1/keys")


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


@pytest.mark.parametrize("command", (EVERY | MORE).values(), ids=EVERY | MORE)
@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_name_that_no_collection_can_have_is_none_and_goes_nowhere(
    serve: Serve, command: list[str], name: str
) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url.path}")
        return page(collection(name="a"), collection(name="b"))

    serve(answer)
    words = [name if word == "x" else word for word in command]
    assert sentence(*words) == f"There is no collection '{name}'. {NAMED}"
    assert asked == ["GET /v1/collections"]


def test_one_of_several_names_that_no_collection_can_have_is_none(serve: Serve) -> None:
    serve(_server("a", "b"))
    assert sentence("ask", "why?", "-c", "a", "-c", "") == f"There is no collection ''. {NAMED}"


def test_many_collections_are_not_all_listed(serve: Serve) -> None:
    serve(_server(*(f"c{number:02}" for number in range(50))))
    said = sentence("search", "words", "-c", "x")
    assert "c19, … (`groundwork collection list`)." in said
    assert "c20" not in said


def _may_not_list(code: str):  # type: ignore[no-untyped-def]
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/collections":
            return error(403, code, "Your key may not.")
        return error(404, "collection_not_found", UNKNOWN)

    return answer


def test_a_key_that_may_not_list_collections_is_advised_nothing_that_it_may_not(serve: Serve) -> None:
    serve(_may_not_list("missing_scope"))
    assert sentence("ask", "why?", "-c", "a/b") == "There is no collection 'a/b'."
    assert sentence("ask", "why?", "-c", "x") == "There is no collection 'x'. [collection_not_found, request req-1]"
    assert sentence("ask", "why?") == "Say which collection: -c NAME. This key may not list them."


def test_another_refusal_than_a_missing_scope_is_said_as_it_came(serve: Serve) -> None:
    serve(_may_not_list("key_revoked"))
    assert sentence("ask", "why?") == "Your key may not. [key_revoked, request req-1]"
