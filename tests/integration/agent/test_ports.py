"""What the answer graph expects of `Search` and `Models`, held against the scripts and against the HTTP adapters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
import pytest
from tests.support.agent.service import Peers, serving

from agent.peers.model_plane import ModelPlane, PlaneSearch
from agent.ports import Models, Search
from agent.testing.scripted_answers import ScriptedModels, ScriptedSearch, echo, hit
from contracts.models.chat import ChatRequest
from contracts.retrieval.search import SearchRequest
from servicekit.core.errors import NotFound, ServiceError, UpstreamFailed
from servicekit.peers.client import Peer, open_session

WAIT_SECONDS = 60.0


@dataclass
class Adapters:
    """One pair of adapters, and the scripts behind them."""

    search: Search
    models: Models
    peers: Peers


@pytest.fixture(params=["scripted", "http"])
async def adapters(request: pytest.FixtureRequest) -> AsyncIterator[Adapters]:
    peers = Peers(ScriptedSearch([hit("Some text.")]), ScriptedModels(echo("One two three.")))
    if request.param == "scripted":
        yield Adapters(peers.search, peers.models, peers)
        return
    async with serving(peers.app()) as url, open_session() as session:
        peer = Peer("peer", url, session)
        yield Adapters(PlaneSearch(peer, 5), ModelPlane(peer, "default"), peers)


def _request() -> ChatRequest:
    return ChatRequest.model_validate({"model": "scripted", "messages": [{"role": "user", "content": "Go."}]})


async def test_a_search_gives_the_hits_and_the_error_of_the_other_side(adapters: Adapters) -> None:
    wanted = SearchRequest(collections=["a"], query="text")
    reply = await adapters.search.search(wanted, "token")
    assert [found.text for found in reply.hits] == ["Some text."]
    adapters.peers.search.failure = NotFound("There is none.")
    with pytest.raises(ServiceError) as caught:
        await adapters.search.search(wanted, "token")
    assert (caught.value.http_status, caught.value.message) == (404, "There is none.")


async def test_models_are_known_by_name_and_as_the_default(adapters: Adapters) -> None:
    for name in (None, "default", "scripted"):
        model = await adapters.models.model(name, "token")
        assert model is not None
        assert model.packaged
    assert await adapters.models.model("other", "token") is None


async def test_vectors_come_in_the_order_of_the_texts(adapters: Adapters) -> None:
    made = await adapters.models.embed(["red apples", "blue sky", "red apples"], "token")
    assert np.allclose(made.vectors[0], made.vectors[2])
    assert not np.allclose(made.vectors[0], made.vectors[1])
    assert made.tokens > 0


async def test_a_draft_is_its_pieces_then_usage(adapters: Adapters) -> None:
    async with adapters.models.chat(_request(), "token") as chunks:
        got = [chunk async for chunk in chunks]
    assert "".join(choice.delta.content or "" for chunk in got for choice in chunk.choices) == "One two three."
    assert got[-1].usage is not None


@pytest.mark.parametrize("after", [0, 2])
async def test_a_model_that_fails_raises_before_or_while_it_speaks(adapters: Adapters, after: int) -> None:
    adapters.peers.models.failure, adapters.peers.models.fail_after = UpstreamFailed("It broke."), after
    seen = 0
    with pytest.raises(ServiceError) as caught:
        async with adapters.models.chat(_request(), "token") as chunks:
            async for _ in chunks:
                seen += 1
    assert (seen, caught.value.code) == (after, "upstream_error")


async def test_leaving_a_draft_early_ends_it(adapters: Adapters) -> None:
    adapters.peers.models.never_ends = True
    async with adapters.models.chat(_request(), "token") as chunks:
        assert await anext(chunks)
    if isinstance(adapters.models, ModelPlane):
        async with asyncio.timeout(WAIT_SECONDS):
            await adapters.peers.left.wait()
    assert adapters.peers.models.closed == 1
