"""A far server on loopback that redirects, drips, bombs and breaks off, and counts what reaches it."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PAGE = "<html><title>Leave</title><body><p>Ten days of leave.</p></body></html>"
BOMB_BYTES = 50_000_000


@dataclass
class FarServer:
    """One listener; `seen` are the calls that reached it."""

    port: int = 0
    seen: list[web.Request] = field(default_factory=list)

    def url(self, path: str, host: str = "pages.test") -> str:
        """The URL of a path under some name of this server."""
        return f"http://{host}:{self.port}{path}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        return await _PATHS[request.path](request)


@asynccontextmanager
async def far_server(address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[FarServer]:
    """Listens until the block ends."""
    server = FarServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", server._answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, address, 0, ssl_context=tls)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


def self_signed(folder: Path, name: str) -> ssl.SSLContext:
    """A server's TLS with a certificate for a name that no authority has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def _page(request: web.Request) -> web.StreamResponse:
    return web.Response(text=PAGE, content_type="text/html", headers={"Set-Cookie": "a=b"})


async def _compressed(request: web.Request) -> web.StreamResponse:
    return web.Response(body=gzip.compress(PAGE.encode()), headers={"Content-Encoding": "gzip"})


async def _named(request: web.Request) -> web.StreamResponse:
    headers = {"Content-Disposition": "attachment; filename*=UTF-8''r%C3%BC.md", "Content-Type": "application/x; a=b"}
    return web.Response(body=b"# R", headers=headers)


async def _to(request: web.Request) -> web.StreamResponse:
    """Redirects to the query's `url`."""
    headers = {"Location": request.query["url"], "Set-Cookie": "a=b"}
    return web.Response(status=int(request.query.get("status", "302")), headers=headers)


async def _loop(request: web.Request) -> web.StreamResponse:
    return web.Response(status=301, headers={"Location": "/loop"})


async def _count(request: web.Request) -> web.StreamResponse:
    """Redirects to itself until the query's `n` is 0."""
    n = int(request.query["n"])
    return await _page(request) if n == 0 else web.Response(status=307, headers={"Location": f"/count?n={n - 1}"})


async def _status(request: web.Request) -> web.StreamResponse:
    return web.Response(status=int(request.query["status"]))


async def _headers(request: web.Request) -> web.StreamResponse:
    return web.Response(text="x", headers={f"X-{number}": "y" * 8000 for number in range(int(request.query["n"]))})


async def _long_header(request: web.Request) -> web.StreamResponse:
    return web.Response(text="x", headers={"X-Long": "y" * 20_000})


async def _endless(request: web.Request) -> web.StreamResponse:
    return await _stream(request, {}, lambda: b"x" * 65536)


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x")
        await asyncio.sleep(0.02)


async def _bomb(request: web.Request) -> web.StreamResponse:
    body = await asyncio.to_thread(gzip.compress, b"\0" * BOMB_BYTES)
    return web.Response(body=body, headers={"Content-Encoding": "gzip"})


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.close()
    return response


async def _declared(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(10**12)})
    await response.prepare(request)
    return response


async def _stream(request: web.Request, headers: dict[str, str], piece: Callable[[], bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    while True:
        await response.write(piece())


_PATHS: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    "/page.html": _page,
    "/compressed": _compressed,
    "/named": _named,
    "/to": _to,
    "/loop": _loop,
    "/count": _count,
    "/status": _status,
    "/headers": _headers,
    "/long-header": _long_header,
    "/endless": _endless,
    "/drip": _drip,
    "/bomb": _bomb,
    "/cut": _cut,
    "/declared": _declared,
}
