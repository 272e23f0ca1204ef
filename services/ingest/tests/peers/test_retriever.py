from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from services.ingest.tests.peers.peers import FakePeer, refused

from contracts.retrieval.chunks import ChunkBatch, ChunkInput, CommitRequest, DocumentFacts
from contracts.retrieval.reindex import ReindexRequest, ShadowRequest
from ingest.peers.retriever import RetrieverIndex
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer, PeerAnswer

SECONDS = 77.0
FACTS = DocumentFacts(title="T", source="s", media_type="text/plain")
BATCH = ChunkBatch(document=FACTS, chunks=[ChunkInput(ordinal=at, text="w", start=0, end=1) for at in range(2)])
COMMIT = CommitRequest(document=FACTS, chunks=2)
INDEXED = {"embedded": 2, "reused": 0}
COMMITTED = {"chunks": 2, "stale_deleted": 0, "collection_revision": 1}
SHADOW = {"generation": 2, "state": "building", "recut": False, "left": 0, "progress": 1.0}
PAGE: dict[str, Any] = {"data": [], "next_cursor": None}
NOTHING = PeerAnswer(204, {}, b"")
Call = Callable[[RetrieverIndex], Awaitable[Any]]
DOCUMENT, SHADOWS = "/v1/collections/c/documents/d", "/v1/collections/c/shadows"


def index_of(peer: FakePeer) -> RetrieverIndex:
    return RetrieverIndex(cast("Peer", peer), SECONDS)


@pytest.mark.parametrize(
    ("call", "answer", "asked", "is_patient"),
    [
        (
            lambda i: i.put_chunks("t", "c", "d", 3, BATCH, 7),
            INDEXED,
            ("PUT", f"{DOCUMENT}/revisions/3/chunks?layout=7"),
            True,
        ),
        (
            lambda i: i.put_whole("t", "c", "d", 3, BATCH, 7),
            {**INDEXED, "committed": COMMITTED},
            ("PUT", f"{DOCUMENT}/revisions/3/chunks?layout=7&commit=2"),
            True,
        ),
        (
            lambda i: i.commit("t", "c", "d", 3, COMMIT, 7),
            COMMITTED,
            ("POST", f"{DOCUMENT}/revisions/3/commit?layout=7"),
            True,
        ),
        (lambda i: i.list_chunks("t", "c", "d", 9, None), PAGE, ("GET", f"{DOCUMENT}/chunks"), False),
        (
            lambda i: i.get_embeddings("t", "c", "d", 3, 500, 9),
            {"revision": 3, "first": 500, "embeddings": []},
            ("GET", f"{DOCUMENT}/revisions/3/embeddings"),
            False,
        ),
        (
            lambda i: i.plan_shadow("t", "c", ReindexRequest(language="de")),
            {"embedding_model": "m", "recut": False},
            ("POST", f"{SHADOWS}/plan"),
            True,
        ),
        (
            lambda i: i.begin_shadow("t", "c", ShadowRequest(key="k", wanted=ReindexRequest(language="de"))),
            SHADOW,
            ("POST", SHADOWS),
            True,
        ),
        (lambda i: i.copy_shadow("t", "c", 2), SHADOW, ("POST", f"{SHADOWS}/2/copy"), True),
        (lambda i: i.flip_shadow("t", "c", 2), SHADOW, ("POST", f"{SHADOWS}/2/flip"), True),
        (
            lambda i: i.stage_chunks("t", "c", 2, "d", 3, BATCH),
            INDEXED,
            ("PUT", f"{SHADOWS}/2/documents/d/revisions/3/chunks"),
            True,
        ),
        (
            lambda i: i.stage_commit("t", "c", 2, "d", 3, COMMIT),
            NOTHING,
            ("POST", f"{SHADOWS}/2/documents/d/revisions/3/commit"),
            True,
        ),
    ],
)
async def test_each_call_has_its_path_the_job_s_right_and_the_time_that_indexing_takes(
    call: Call, answer: Any, asked: tuple[str, str], is_patient: bool
) -> None:
    peer = FakePeer(answer)
    await call(index_of(peer))
    assert peer.asked == [asked]
    assert peer.given[0]["token"] == "t"
    assert peer.given[0].get("timeout_seconds") == (SECONDS if is_patient else None)


DELETIONS: list[Call] = [
    lambda index: index.delete_collection("t", "c"),
    lambda index: index.delete_document("t", "c", "d", 3),
    lambda index: index.abandon_shadow("t", "c", "job_1.2"),
]


@pytest.mark.parametrize("call", DELETIONS)
async def test_what_is_not_there_is_deleted_already_and_other_refusals_are_told(call: Call) -> None:
    await call(index_of(FakePeer(refused(404, "collection_not_found"))))
    for status in (403, 409, 503):
        with pytest.raises(PeerError):
            await call(index_of(FakePeer(refused(status))))


async def test_a_deletion_says_up_to_which_revision_and_which_shadow() -> None:
    peer = FakePeer(NOTHING)
    for call in DELETIONS:
        await call(index_of(peer))
    assert [each["params"] for each in peer.given] == [{}, {"revision": "3"}, {"key": "job_1.2"}]


async def test_a_page_is_asked_for_from_its_cursor_on() -> None:
    peer = FakePeer(PAGE)
    await index_of(peer).list_collections("t", 20, None)
    await index_of(peer).list_collections("t", 20, "next")
    assert [each["params"] for each in peer.given] == [{"limit": "20"}, {"limit": "20", "cursor": "next"}]


async def test_a_missing_collection_is_told_to_who_asks_for_it() -> None:
    with pytest.raises(PeerError) as missing:
        await index_of(FakePeer(refused(404, "collection_not_found"))).get_collection("t", "c")
    assert missing.value.code == "collection_not_found"


async def test_a_backup_is_given_as_it_comes_and_may_be_silent_for_long() -> None:
    peer = FakePeer([b"one", b"two"])
    async with index_of(peer).backup("t") as pieces:
        assert [piece async for piece in pieces] == [b"one", b"two"]
    assert peer.asked == [("GET", "/v1/backup")]
    assert peer.given[0]["timeout_seconds"] >= 300
