"""`GET /v1/backup`: everything of everybody, of one moment, as one file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import Request

from contracts.operations.administration import BACK_UP
from gateway.api.openapi_parts import ERRORS, binary, serve
from gateway.auth.tokens import Audiences
from gateway.dependencies import Admin, Dependencies, Deps
from gateway.storage.audit_log import Actor, note
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import about
from servicekit.core.version import package_version
from servicekit.peers.client import Peer
from servicekit.streams.response import OpenedStream
from servicekit.web.router import Router

router = Router(responses=ERRORS)
MEDIA_TYPE = "application/x-tar"
SERVICES = ("ingest", "retriever", "inference", "agent", "lab", "gateway")
SECONDS = 600.0
"""Longest silence of a service, also until its part begins."""
_TAR: dict[int | str, dict[str, Any]] = {200: {"content": binary(MEDIA_TYPE)}}


@serve(router, BACK_UP, response_class=OpenedStream, responses=_TAR)
async def backup(request: Request, deps: Deps, admin: Admin) -> OpenedStream:
    """A backup of all tenants as a tar, for `groundwork restore`. It holds every document, and keys as digests only."""
    actor = Actor(admin.key_id, request.state.request_id)
    return OpenedStream(lambda: _opened(deps, actor), MEDIA_TYPE)


@asynccontextmanager
async def _opened(deps: Dependencies, actor: Actor) -> AsyncIterator[AsyncIterator[bytes]]:
    """Documents first, then what refers to them, then what all of it cost: each view begins after those that it may be
    ahead of, as after a crash, and none is behind.
    """
    public_key = deps.settings.delegation_public_key_file.read_text()
    began = deps.clock.now()
    async with deps.database.write() as connection:
        await note(connection, began, actor, "backup.read", "installation", {})
    async with AsyncExitStack() as stack:
        parts = [
            await stack.enter_async_context(_part(deps, deps.peers.ingest, ("ingest", "retriever"))),
            await stack.enter_async_context(_part(deps, deps.peers.inference, ("inference",))),
            await stack.enter_async_context(_part(deps, deps.peers.agent, ("agent",))),
            await stack.enter_async_context(_part(deps, deps.peers.lab, ("lab",))),
            await stack.enter_async_context(
                backup_tables.open_part(deps.database, "gateway", {"public_key": public_key})
            ),
        ]

        async def pieces() -> AsyncIterator[bytes]:
            for part in parts:
                async for piece in part:
                    yield piece
            yield about(package_version("gateway"), began, SERVICES)

        yield pieces()


@asynccontextmanager
async def _part(deps: Dependencies, peer: Peer, audiences: Audiences) -> AsyncIterator[AsyncIterator[bytes]]:
    token = deps.issuer.own_token(audiences, ("admin",))
    async with peer.stream("GET", "/v1/backup", token=token, timeout_seconds=SECONDS) as stream:
        yield stream.pieces()
