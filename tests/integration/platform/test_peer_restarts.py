"""A peer that takes no connections for a moment is waited for; one that never did, or is gone for good, is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from servicekit.peers.client import Peer, PeerUnreachable, open_session


@asynccontextmanager
async def _serving(port: int, received: list[bytes]) -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        received.append(await request.read())
        return web.Response(text="here")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class Tried:
    """Counts connections that are opened, or tried to."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.count = 0
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_start.append(self._count)
        trace.freeze()
        session.trace_configs.append(trace)

    async def _count(self, *_: object) -> None:
        self.count += 1

    def since_last(self) -> int:
        count, self.count = self.count, 0
        return count


async def _upload(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_call_waits_for_a_peer_that_is_restarted_and_is_sent_once(streamed: bool) -> None:
    received: list[bytes] = []
    async with open_session() as session:
        async with _serving(0, received) as port:
            peer = Peer("peer", f"http://127.0.0.1:{port}", session, restart_seconds=600)
            await peer.send("GET", "/there")
        body = _upload([b"a document", b" in pieces"]) if streamed else b"a document in pieces"
        calling = asyncio.create_task(peer.send("POST", "/", body=body))
        await asyncio.sleep(0.3)
        assert not calling.done()
        async with _serving(port, received):
            assert (await calling).body == b"here"
    assert received == [b"", b"a document in pieces"]


async def test_a_call_waits_for_a_peer_without_an_address_and_goes_to_its_next_one() -> None:
    received: list[bytes] = []
    async with open_session() as session:
        peer = Peer("peer", "http://127.0.0.1:1", session, restart_seconds=600)
        async with _serving(0, []) as port:
            peer.move(f"http://127.0.0.1:{port}/")
            await peer.send("GET", "/there")
            peer.move(None)
            calling = asyncio.create_task(peer.send("POST", "/", body=b"a document"))
            await asyncio.sleep(0.3)
            assert not calling.done()
        async with _serving(0, received) as port:
            peer.move(f"http://127.0.0.1:{port}")
            assert (await calling).body == b"here"
        peer.move(None)
        with pytest.raises(PeerUnreachable):
            await peer.probe()
    assert received == [b"a document"]


async def test_a_peer_that_is_gone_is_not_waited_for_again() -> None:
    async with open_session() as session:
        tried = Tried(session)
        async with _serving(0, []) as port:
            peer = Peer("peer", f"http://127.0.0.1:{port}", session, restart_seconds=0.5)
            await peer.send("GET", "/there")
        tried.since_last()
        with pytest.raises(PeerUnreachable):
            await peer.send("GET", "/gone")
        assert tried.since_last() > 1
        with pytest.raises(PeerUnreachable):
            await peer.send("GET", "/gone")
        assert tried.since_last() == 1


async def test_neither_a_peer_that_never_was_there_nor_a_probe_waits() -> None:
    async with open_session() as session:
        tried = Tried(session)
        async with _serving(0, []) as port:
            known = Peer("peer", f"http://127.0.0.1:{port}", session, restart_seconds=600)
            await known.send("GET", "/there")
        unknown = Peer("peer", f"http://127.0.0.1:{port}", session, restart_seconds=600)
        tried.since_last()
        with pytest.raises(PeerUnreachable):
            await unknown.send("GET", "/")
        with pytest.raises(PeerUnreachable):
            await known.probe()
        assert tried.since_last() == 2, "each was tried once"
