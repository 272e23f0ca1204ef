from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from services.ingest.tests.peers.peers import FakePeer, refused
from tests.support.inference.tokenizers import word_pieces

from ingest.peers import inference
from ingest.peers.inference import InferenceTokenizers, TokenizerUnusable
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer, PeerAnswer

FILE = word_pieces().to_str().encode()
WHOLE = PeerAnswer(200, {"ETag": '"one"'}, FILE)
SAME = PeerAnswer(304, {}, b"")


def kept_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def tokenizers(peer: FakePeer, folder: Path) -> InferenceTokenizers:
    return InferenceTokenizers(cast("Peer", peer), folder)


async def test_a_tokenizer_is_fetched_once_for_all_who_ask_at_once(tmp_path: Path) -> None:
    peer = FakePeer(WHOLE)
    source = tokenizers(peer, tmp_path)
    first, *others = await asyncio.gather(*(source.tokens("token", "words") for _ in range(5)))
    assert all(each is first for each in others)
    assert peer.asked == [("GET", "/v1/models/words/tokenizer")]
    assert first.lengths(["the word"]) == [4]


async def test_each_model_has_its_own(tmp_path: Path) -> None:
    peer = FakePeer(WHOLE)
    source = tokenizers(peer, tmp_path)
    assert await source.tokens("token", "a") is not await source.tokens("token", "b")
    assert len(kept_in(tmp_path)) == 2


async def test_what_is_kept_is_asked_for_by_its_etag_and_read_anew_only_where_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "CHECK_SECONDS", -1.0)
    peer = FakePeer(WHOLE, SAME, PeerAnswer(200, {"ETag": '"two"'}, FILE))
    source = tokenizers(peer, tmp_path)
    first = await source.tokens("token", "words")
    assert await source.tokens("token", "words") is first
    assert await source.tokens("token", "words") is not first
    assert [each["headers"] for each in peer.given] == [{}, {"If-None-Match": '"one"'}, {"If-None-Match": '"one"'}]


async def test_a_tokenizer_follows_the_replacement_of_its_model_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(inference, "time", SimpleNamespace(monotonic=lambda: now[0]))
    peer = FakePeer(WHOLE, PeerAnswer(200, {"ETag": '"two"'}, FILE))
    source = tokenizers(peer, tmp_path)
    first = await source.tokens("token", "words")
    now[0] += 4
    assert await source.tokens("token", "words") is first
    now[0] += 2
    assert await source.tokens("token", "words") is not first


async def test_a_later_process_asks_before_it_uses_what_lies_on_disk(tmp_path: Path) -> None:
    await tokenizers(FakePeer(WHOLE), tmp_path).tokens("token", "words")
    later = FakePeer(SAME)
    assert (await tokenizers(later, tmp_path).tokens("token", "words")).lengths(["the word"]) == [4]
    assert later.given[0]["headers"] == {"If-None-Match": '"one"'}
    with pytest.raises(PeerError):
        await tokenizers(FakePeer(refused(403)), tmp_path).tokens("token", "words")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "1", '{"etag": "x"}', '{"etag": "x", "file": 1}', '{"etag": "x", "file": "no tokenizer"}'],
)
async def test_a_damaged_copy_is_fetched_anew(tmp_path: Path, content: str) -> None:
    await tokenizers(FakePeer(WHOLE), tmp_path).tokens("token", "words")
    (kept,) = kept_in(tmp_path)
    kept.write_text(content)
    peer = FakePeer(WHOLE)
    await tokenizers(peer, tmp_path).tokens("token", "words")
    assert peer.given[0]["headers"] == {}
    assert FILE.decode()[:20].replace('"', '\\"') in kept.read_text()


async def test_a_file_that_is_no_tokenizer_is_the_models_fault_and_not_kept(tmp_path: Path) -> None:
    source = tokenizers(FakePeer(PeerAnswer(200, {}, b"{}"), WHOLE), tmp_path)
    with pytest.raises(TokenizerUnusable, match="'words'") as unusable:
        await source.tokens("token", "words")
    assert unusable.value.http_status == 502
    assert kept_in(tmp_path) == []
    assert (await source.tokens("token", "words")).lengths(["the"]) == [3]
