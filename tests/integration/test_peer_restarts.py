"""A peer that takes no connections for a moment is waited for; one that never did, or is gone for good, is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


async def _upload(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_call_waits_for_a_peer_that_is_restarted_and_is_sent_once(streamed: bool) -> None:
    received: list[bytes] = []
    async with open_session() as session:
        async with _serving(0, received) as port:
            peer = Peer("peer", f"http://127.0.0.1:{port}", session, restart_seconds=10)
            await peer.send("GET", "/there")
        body = _upload([b"a document", b" in pieces"]) if streamed else b"a document in pieces"
        calling = asyncio.create_task(peer.send("POST", "/", body=body))
        await asyncio.sleep(0.3)
        assert not calling.done()
        async with _serving(port, received):
            assert (await calling).body == b"here"
    assert received == [b"", b"a document in pieces"]


async def test_a_peer_that_is_gone_is_not_waited_for_again() -> None:
    async with open_session() as session:
        async with _serving(0, []) as port:
            peer = Peer("peer", f"http://127.0.0.1:{port}", session, restart_seconds=1.5)
            await peer.send("GET", "/there")
        for least, most in ((1.5, 30.0), (0.0, 1.4)):
            began = time.monotonic()
            with pytest.raises(PeerUnreachable):
                await peer.send("GET", "/gone")
            assert least <= time.monotonic() - began < most


async def test_neither_a_peer_that_never_was_there_nor_a_probe_waits() -> None:
    async with open_session() as session:
        async with _serving(0, []) as port:
            known = Peer("peer", f"http://127.0.0.1:{port}", session, restart_seconds=10)
            await known.send("GET", "/there")
        unknown = Peer("peer", f"http://127.0.0.1:{port}", session, restart_seconds=10)
        began = time.monotonic()
        with pytest.raises(PeerUnreachable):
            await unknown.send("GET", "/")
        with pytest.raises(PeerUnreachable):
            await known.probe()
        assert time.monotonic() - began < 2
