from __future__ import annotations

import httpx2
import pytest
from cli.tests.server import Recorder, Serve, by_path, collection, document, page
from cli.tests.terminal import output, run, sentence

from contracts.retrieval.collections import VectorOptions
from groundwork.commands.documents.collections import CollectionUnusable, chunking_of, vectors_of


def test_options_that_make_no_collection_are_named_before_anything_is_sent() -> None:
    assert "name: must be 1 to 63 characters long, of small letters" in sentence("collection", "create", "No Name")
    assert "give that, too" in sentence("collection", "create", "c", "--max-tokens", "64")
    assert "overlap must be" in sentence(
        "collection", "create", "c", "--chunking=fixed", "--max-tokens=32", "--overlap=31"
    )
    assert "Nothing runs in" in sentence("collection", "create", "c", "--quantization=binary", "--on-disk")


def test_a_collection_is_made_as_said_and_told_as_the_server_made_it(serve: Serve) -> None:
    server = Recorder(httpx2.Response(201, json=collection(vectors={"quantization": "binary", "on_disk": True})))
    serve(server)
    said = output("collection", "create", "c", "--quantization=binary", "--on-disk", "--language", "de")
    assert said == "made 'c': model minilm, chunking auto, vectors binary, on disk\n"
    assert server.body()["vectors"] == {"quantization": "binary", "on_disk": True}
    assert server.body()["language"] == "de"


def test_of_a_collection_only_what_is_said_is_changed(serve: Serve) -> None:
    server = Recorder(*(httpx2.Response(200, json=collection()) for _ in range(2)))
    serve(server)
    assert output("collection", "change", "c", "--abstain", "reader") == "changed 'c'\n"
    assert server.body() == {"abstain": "reader"}
    output("collection", "change", "c", "--abstain", "default", "--no-rerank", "--mode", "dense")
    assert server.body() == {"abstain": "default", "rerank": False, "mode": "dense"}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"embedding_model": "auto"}, "model auto (its first document chooses)"),
        ({"embedding_model_reason": "it is in en"}, "model minilm (it is in en)"),
    ],
)
def test_a_collection_that_leaves_its_model_open_says_who_chooses_and_why(
    serve: Serve, made: dict[str, str], said: str
) -> None:
    server = Recorder(httpx2.Response(201, json=collection(**made)))
    serve(server)
    assert said in output("collection", "create", "c")
    assert server.body()["embedding_model"] == "auto"
    serve(by_path(collections=page(collection(**made))))
    assert said.partition("(")[2].rstrip(")") in output("collection", "list")


def test_a_list_has_a_line_for_each_collection(serve: Serve) -> None:
    serve(by_path(collections=page(collection(documents=3, chunks=40), collection(name="d"))))
    headings, *lines = (line.split() for line in output("collection", "list").splitlines())
    assert headings[:2] == ["name", "documents"]
    assert lines == [
        [name, *numbers, "minilm", "auto", "in", "full", "green"]
        for name, numbers in (("c", ("3", "40")), ("d", ("0", "0")))
    ]


@pytest.mark.parametrize(
    ("options", "typed", "deleted"),
    [((), "n\n", False), ((), "", False), ((), "y\n", True), (("--yes",), None, True)],
    ids=["no", "nobody answers", "yes", "not asked"],
)
def test_nothing_is_deleted_without_a_yes(
    serve: Serve, options: tuple[str, ...], typed: str | None, deleted: bool
) -> None:
    server = Recorder(httpx2.Response(200, json=collection(documents=3)), httpx2.Response(204))
    serve(server)
    done = run("collection", "delete", "c", *options, typed=typed)
    assert done.exit_code == (0 if deleted else 1)
    assert ("DELETE /v1/collections/c" in server.calls) is deleted
    assert ("with its 3 documents?" in done.output) is (options == ())


def test_options_that_say_nothing_change_nothing() -> None:
    now = VectorOptions(quantization="scalar", on_disk=True)
    assert chunking_of(None, None, 0) is None
    assert vectors_of(None, None, now) is None
    assert vectors_of(None, False, now) == VectorOptions(quantization="scalar", on_disk=False)
    assert vectors_of("none", None, now) == VectorOptions(quantization="none", on_disk=True)


def test_a_size_that_no_chunk_can_have_is_named() -> None:
    with pytest.raises(CollectionUnusable, match=r"max_tokens: .*16"):
        chunking_of("fixed", 1, 0)


def test_documents_are_listed_with_the_ids_that_other_commands_take(serve: Serve) -> None:
    serve(by_path(documents=page(document("ready"), document("failed", id="doc-2", source="b.md"))))
    assert [line.split() for line in output("collection", "documents", "c").splitlines()] == [
        ["id", "source", "title", "status"],
        ["doc-1", "a.md", "A", "title", "ready"],
        ["doc-2", "b.md", "A", "title", "failed"],
    ]
