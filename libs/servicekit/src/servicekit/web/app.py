"""The app factory that every service builds on, and how its app is served."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import FrameType
from typing import TypeVar

import uvicorn
import uvloop
from fastapi import APIRouter, FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.auth.delegation import DelegationVerifier
from servicekit.core.disk import DiskRoom
from servicekit.core.garbage import keep_garbage_cheap
from servicekit.core.probes import Probe
from servicekit.core.settings import ServiceSettings
from servicekit.core.version import package_version
from servicekit.sql.migrations import UnknownRevision
from servicekit.telemetry.metrics import metrics_router, watch_disk
from servicekit.telemetry.spans import close_tracing
from servicekit.web.body_limits import BodyLimit, LimitFor, OwnerOf
from servicekit.web.error_handlers import install_error_handlers
from servicekit.web.health import health_router
from servicekit.web.http_protocol import BoundedProtocol
from servicekit.web.request_context import RequestContext

Dependencies = TypeVar("Dependencies")
DEFAULT_BODY_BYTES = 16 * 1024 * 1024


def build_app(
    service: str,
    *,
    settings: ServiceSettings,
    opening: Callable[[], AbstractAsyncContextManager[Dependencies]],
    routers: Sequence[APIRouter],
    probes: Callable[[Dependencies], Mapping[str, Probe]],
    body_limit: LimitFor = lambda _path, _media_type: DEFAULT_BODY_BYTES,
    owner_of: OwnerOf = lambda _: "",
    ready_seconds: float = 0.0,
    serve_metrics: bool = True,
    record_requests: bool = True,
) -> FastAPI:
    """An app with errors, health, metrics, request ids and delegation wired in.

    `opening()` is entered when the app starts and left when it ends; it yields `app.state.dependencies`. `probes` names
    the real dependencies that `/readyz` exercises beside the disk, which remembers its answer for `ready_seconds`.
    `owner_of` names whose share of memory a large body takes. Without `record_requests` a request has no span of its
    own: its work, a model's call, records itself.
    """
    room = DiskRoom(settings.data_dir, settings.disk_reserve_bytes)

    def current_probes(request: Request) -> Mapping[str, Probe]:
        return {**probes(request.app.state.dependencies), "disk": room.probe}

    app = FastAPI(
        title=f"Groundwork {service}",
        version=package_version(service),
        lifespan=_lifespan(service, settings, opening),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send a client behind a TLS proxy, key and all, to http
    )
    app.state.verifier = DelegationVerifier(settings.delegation_public_key_file)
    install_error_handlers(app)
    own = [health_router(service, current_probes, ready_seconds), *([metrics_router()] if serve_metrics else ())]
    for router in (*own, *routers):
        app.router.routes.extend(router.routes)  # `include_router` would make every route, and its models, once more
    app.add_middleware(
        BodyLimit,
        limit_for=body_limit,
        most_values=settings.max_json_values,
        memory=settings.max_bodies_bytes,
        owner_of=owner_of,
    )
    app.add_middleware(RequestContext, service=service, record_requests=record_requests)
    return app


def _lifespan(
    service: str, settings: ServiceSettings, opening: Callable[[], AbstractAsyncContextManager[Dependencies]]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opening() as dependencies:
            app.state.dependencies = dependencies
            watch_disk(service, settings.data_dir)
            yield

    return lifespan


def server_for(
    app: ASGIApp,
    settings: ServiceSettings,
    *,
    host: str | None = None,
    port: int | None = None,
    tls: ssl.SSLContext | None = None,
) -> uvicorn.Server:
    """A uvicorn server for an app: our logs, no server header, graceful on SIGTERM; with `tls`, for HTTPS alone."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host or settings.host,
            port=settings.port if port is None else port,
            log_config=None,
            access_log=False,
            http=BoundedProtocol,
            server_header=False,
            proxy_headers=False,  # the gateway alone has proxies in front of it, which its settings name
            timeout_graceful_shutdown=round(settings.shutdown_seconds),
            timeout_keep_alive=75,
            h11_max_incomplete_event_size=64 * 1024,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        )
    )


def serve(app: ASGIApp, settings: ServiceSettings, on_stop: Callable[[], None] | None = None) -> None:
    """Serve one app until SIGTERM or SIGINT; `on_stop` is called first, before open calls are waited for."""
    server = _OwnServer(server_for(_refusing_in_words(app), settings).config, on_stop)
    keep_garbage_cheap()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve())


def _refusing_in_words(app: ASGIApp) -> ASGIApp:
    """An app whose start ends with a sentence instead of a traceback on a database of a newer version."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        failed: list[Message] = []

        async def keep_failures(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await app(scope, receive, keep_failures)
        except UnknownRevision as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        except BaseException:
            for message in failed:
                await send(message)
            raise

    return wrapped


class _OwnServer(uvicorn.Server):
    """Says that it stops, and sends the last spans: uvicorn ends the process by its signal once it has stopped."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT."""
        if self._on_stop is not None:
            self._on_stop()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """All calls are answered."""
        await super().shutdown(sockets)
        await asyncio.to_thread(close_tracing)
