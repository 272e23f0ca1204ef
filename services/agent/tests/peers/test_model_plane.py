from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.peers.model_plane import ModelPlane
from contracts.models.catalog import EmbeddingReply, ModelInfo, ModelList
from contracts.models.chat import AssistantMessage, ChatCompletionChunk, ChatRequest, ChunkChoice
from contracts.models.versions import ModelVersion
from servicekit.core.errors import PeerError, UpstreamFailed
from servicekit.peers.client import Peer, PeerMalformed
from servicekit.streams.sse import DONE, encode

REQUEST = ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "Hello"}]})
CHUNK = ChatCompletionChunk(
    id="c", created=0, model="m", choices=[ChunkChoice(delta=AssistantMessage(content="Hi."))]
).model_dump_json()
MADE_BY = ModelVersion("small", "sha256:ab", "12cd")


class _Plane:
    """A peer that answers with what it was given."""

    name = "gateway"

    def __init__(self, reply: Any = None, body: bytes = b"") -> None:
        self._reply = reply
        self._body = body

    async def call(self, *_: object, **__: object) -> Any:
        return self._reply

    @asynccontextmanager
    async def stream(self, *_: object, **__: object) -> AsyncIterator[Any]:
        async def pieces() -> AsyncIterator[bytes]:
            yield self._body

        yield SimpleNamespace(pieces=pieces, headers=MADE_BY.headers())


def _plane(reply: Any = None, body: bytes = b"") -> ModelPlane:
    return ModelPlane(cast("Peer", _Plane(reply, body)), "default")


async def _said(body: bytes) -> str:
    async with _plane(body=body).chat(REQUEST, "token") as chunks:
        return "".join([choice.delta.content or "" async for chunk in chunks for choice in chunk.choices])


async def test_an_answer_names_the_model_that_makes_it_before_its_first_piece() -> None:
    async with _plane().chat(REQUEST, "token") as answer:
        assert answer.version == MADE_BY


async def test_a_chat_model_is_found_by_its_name_or_as_the_default() -> None:
    kinds = (("embeds", "embedding", True), ("small", "chat", False), ("large", "chat", True))
    listed = ModelList(data=[ModelInfo(id=name, kind=kind, default=default) for name, kind, default in kinds])
    for wanted, found in ((None, "large"), ("default", "large"), ("small", "small"), ("embeds", None), ("no", None)):
        model = await _plane(listed).model(wanted, "token")
        assert (model and model.id) == found


async def test_vectors_come_in_the_order_of_the_texts_and_one_for_each() -> None:
    data = [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [1.0, 0.0]}]
    reply = EmbeddingReply.model_validate(
        {"model": "m", "data": data, "usage": {"prompt_tokens": 4, "total_tokens": 4}}
    )
    embedded = await _plane(reply).embed(["a", "b"], "token")
    assert [vector.tolist() for vector in embedded.vectors] == [[1, 0], [0, 1]]
    assert embedded.tokens == 4
    with pytest.raises(PeerMalformed):
        await _plane(reply).embed(["a"], "token")


async def test_an_answer_that_ends_early_is_never_taken_for_a_whole_one() -> None:
    assert await _said(encode(CHUNK) + DONE) == "Hi."
    with pytest.raises(UpstreamFailed):
        await _said(encode(CHUNK))
    for broken in (encode("{not json"), b"data: half an event"):
        with pytest.raises(PeerMalformed):
            await _said(broken)


@pytest.mark.parametrize(("kind", "status"), [("upstream_error", 502), ("content_blocked", 400)])
async def test_an_error_in_the_stream_is_raised_with_a_status_of_its_own(kind: str, status: int) -> None:
    error = {"message": "No.", "type": kind, "code": "why", "param": None, "request_id": "r"}
    with pytest.raises(PeerError) as raised:
        await _said(encode(json.dumps({"error": error}), "error"))
    assert raised.value.http_status == status
