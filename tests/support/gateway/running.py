"""Runs the real gateway, all listeners, in front of the stand-ins in `peers.py`, on free loopback ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp
from tests.support.gateway import peers as gateway_peers
from tests.support.gateway.lab import lab
from tests.support.gateway.seen import Seen

from gateway.bootstrap import create_app, create_metrics_app, create_model_plane, open_dependencies
from gateway.dependencies import Dependencies
from gateway.limits.limiter import Limiter
from gateway.server.listeners import Listener, listener
from gateway.settings import GatewaySettings
from gateway.storage.tables import usage
from gateway.usage import inner_calls, ledger, meter
from servicekit.core.settings import ServiceSettings
from servicekit.peers import client

DEADLINE_SECONDS = 60.0


@dataclass
class RunningGateway:
    """A gateway that runs, its admin key, and what its stand-ins saw."""

    url: str
    plane_url: str
    metrics_url: str
    admin_key: str
    deps: Dependencies
    seen: Seen
    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, key: str | None = None, **options: Any) -> aiohttp.ClientResponse:
        """A raw call with the admin key (or another); the answer is read whole."""
        headers = {"Authorization": f"Bearer {key or self.admin_key}", **options.pop("headers", {})}
        async with self.session.request(method, self.url + path, headers=headers, **options) as answer:
            await answer.read()
            return answer

    async def new_key(self, **wanted: Any) -> dict[str, Any]:
        """A key made through the API."""
        body = {"name": "k", "tenant": "default", "scopes": ["chat", "documents", "search"], **wanted}
        answer = await self.call("POST", "/v1/keys", json=body)
        assert answer.status == 201, await answer.text()
        created: dict[str, Any] = await answer.json()
        return created

    async def usage_rows(self, count: int, key_id: str | None = None, route: str | None = None) -> list[dict[str, Any]]:
        """The ledger's rows, of one key or route if one is named, once there are `count` of them."""
        wanted = select(usage).order_by(usage.c.started_at)
        if key_id is not None:
            wanted = wanted.where(usage.c.key_id == key_id)
        if route is not None:
            wanted = wanted.where(usage.c.route == route)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                async with self.deps.database.read() as connection:
                    rows = (await connection.execute(wanted)).mappings().all()
                if len(rows) >= count:
                    return [dict(row) for row in rows]
                await asyncio.sleep(0.01)


@contextmanager
def patience() -> Iterator[None]:
    """A machine that has much else to do is no outage: the gateway waits long for its ledger, its Redis and
    connections to other services."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "RESERVATION_SECONDS", DEADLINE_SECONDS)
        patch.setattr(meter, "COMMIT_SECONDS", DEADLINE_SECONDS)
        patch.setattr(inner_calls, "SETTLED_SECONDS", DEADLINE_SECONDS)
        patch.setattr(client, "CONNECT_SECONDS", DEADLINE_SECONDS)
        yield


async def eventually(condition: Callable[[], bool]) -> None:
    """Return once the condition is true; fail after `DEADLINE_SECONDS`."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  # neither servers nor stand-ins have an event for it
            await asyncio.sleep(0.005)


@dataclass
class Servers:
    """Apps on free ports; `close` stops them all at once."""

    running: list[tuple[Listener, asyncio.Task[None]]] = field(default_factory=list)

    async def start(self, app: ASGIApp, port: int = 0) -> str:
        server = listener(app, ServiceSettings(shutdown_seconds=3), "127.0.0.1", port)
        self.running.append((server, asyncio.create_task(server.serve())))
        await eventually(lambda: server.started)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def close(self) -> None:
        for server, _ in self.running:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self.running))


def settings_in(folder: Path, **changes: Any) -> GatewaySettings:
    """Settings that keep everything in one folder."""
    chosen = {
        "data_dir": folder / "data",
        "delegation_public_key_file": folder / "d.pub",
        "delegation_private_key_file": folder / "d.key",
        "admin_key_file": folder / "admin.key",
        "limits_timeout_seconds": 5,
        **changes,
    }
    return GatewaySettings(**chosen)


@asynccontextmanager
async def running_gateway(
    folder: Path, *, limiter: Limiter | None = None, reranker: bool = False, **changes: Any
) -> AsyncIterator[RunningGateway]:
    """The gateway and its stand-ins, until the block ends."""
    seen, plane_url = Seen(), [""]
    public_key = folder / "d.pub"
    inner = Starlette(
        routes=[
            Mount("/inference", gateway_peers.inference(public_key, seen, reranker=reranker)),
            Mount("/retriever", gateway_peers.retriever(public_key, seen)),
            Mount("/ingest", gateway_peers.ingest(public_key, seen)),
            Mount("/agent", gateway_peers.agent(public_key, seen, plane_url)),
            Mount("/lab", lab(public_key, seen)),
        ]
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(patience())
        servers = Servers()
        inner_url = await servers.start(inner)
        urls = {f"{name}_url": f"{inner_url}/{name}" for name in ("inference", "retriever", "ingest", "agent", "lab")}
        settings = settings_in(folder, **{**urls, **changes})
        deps = await stack.enter_async_context(open_dependencies(settings, limiter))
        stack.push_async_callback(servers.close)
        plane_url[0] = await servers.start(create_model_plane(settings, deps))
        url = await servers.start(create_app(settings, deps))
        metrics_url = await servers.start(create_metrics_app())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        admin_key = settings.admin_key_file.read_text()
        yield RunningGateway(url, plane_url[0], metrics_url, admin_key, deps, seen, session)
