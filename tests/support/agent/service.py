"""An agent service under test: the real app over HTTP, with scripts behind the retriever's and the models' calls."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx2
import uvicorn
from fastapi import FastAPI, Header
from fastapi.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from agent.bootstrap import create_app
from agent.settings import AgentSettings
from agent.testing.scripted_answers import ScriptedModels, ScriptedSearch
from contracts.access.delegation import Audience, Delegation
from contracts.models.catalog import Embedding, EmbeddingReply, EmbeddingRequest, EmbeddingUsage, ModelList
from contracts.models.chat import ChatRequest
from contracts.retrieval.search import SearchReply, SearchRequest
from servicekit.auth.delegation import DelegationSigner, generate_key_pair
from servicekit.core.errors import ServiceError
from servicekit.streams.sse import DONE, encode, encode_error
from servicekit.web.error_handlers import install_error_handlers


@dataclass
class Peers:
    """What the agent calls: scripts, the tokens that came with the calls, and whether a stream was ended early."""

    search: ScriptedSearch
    models: ScriptedModels
    tokens: set[str] = field(default_factory=set)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    embedding_calls: list[int] = field(default_factory=list)

    def app(self) -> FastAPI:
        """The retriever's and the model plane's calls that the agent makes."""
        app = FastAPI()
        install_error_handlers(app)

        @app.get("/readyz")
        async def readyz() -> dict[str, str]:
            await self.search.probe()
            return {"status": "ok"}

        @app.post("/v1/search")
        async def search(body: SearchRequest, authorization: str = Header()) -> SearchReply:
            self.tokens.add(authorization)
            return await self.search.search(body, authorization)

        @app.get("/v1/models")
        async def models(authorization: str = Header()) -> ModelList:
            self.tokens.add(authorization)
            return ModelList(data=[self.models.info] if self.models.info else [])

        @app.post("/v1/embeddings")
        async def embeddings(body: EmbeddingRequest, authorization: str = Header()) -> EmbeddingReply:
            self.tokens.add(authorization)
            texts = [body.input] if isinstance(body.input, str) else body.input
            self.embedding_calls.append(len(texts))
            made = await self.models.embed(texts, authorization)
            data = [
                Embedding(index=at, embedding=base64.b64encode(array("f", vector).tobytes()).decode())
                for at, vector in enumerate(made.vectors)
            ]
            usage = EmbeddingUsage(prompt_tokens=made.tokens, total_tokens=made.tokens)
            return EmbeddingReply(data=data[::-1], model="scripted", usage=usage)

        @app.post("/v1/chat/completions")
        async def chat(body: ChatRequest, authorization: str = Header()) -> Response:
            self.tokens.add(authorization)
            if self.models.failure is not None and self.models.fail_after == 0:
                raise self.models.failure
            return StreamingResponse(self._sse(body), media_type="text/event-stream")

        return app

    async def _sse(self, body: ChatRequest) -> AsyncIterator[bytes]:
        self.begun.set()
        try:
            async with self.models.chat(body, "") as chunks:
                async for chunk in chunks:
                    yield encode(chunk.model_dump_json())
            yield DONE
        except ServiceError as error:
            yield encode_error(error, None)
        finally:
            self.left.set()


class Tokens:
    """Signs tokens; the public key lies in `key_file`."""

    def __init__(self, folder: Path) -> None:
        private, public = generate_key_pair()
        self.key_file = folder / "delegation.pub"
        self.key_file.write_bytes(public)
        self._signer = DelegationSigner(private)

    def token(
        self,
        audiences: tuple[Audience, ...] = ("agent", "retriever", "inference", "models"),
        collections: tuple[str, ...] | None = None,
        lifetime_seconds: float = 600,
    ) -> str:
        """A token with these claims."""
        claims = Delegation(
            audiences=audiences, tenant="acme", key_id="k", scopes=("chat",), request_id="r", collections=collections
        )
        return self._signer.sign(claims, timedelta(seconds=lifetime_seconds))


def reserved(port: int = 0) -> socket.socket:
    """A loopback port, by default a free one, that nobody else gets; nobody answers there until it is served."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


@asynccontextmanager
async def serving(app: ASGIApp, at: socket.socket | int = 0) -> AsyncIterator[str]:
    """The base URL of an app that is served on a loopback port, by default a free one, in this event loop."""
    listener = reserved(at) if isinstance(at, int) else at
    listener.listen(128)  # whoever calls from now on waits until the app is up
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2, timeout_keep_alive=600)
    server = uvicorn.Server(config)  # it closes no connection that its peer is about to use, as real services don't
    running = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


@asynccontextmanager
async def agent_client(peers: Peers, tokens: Tokens, **settings: float) -> AsyncIterator[httpx2.AsyncClient]:
    """A client, with a token, of the real agent over HTTP in front of the scripts."""
    async with serving(peers.app()) as peer_url:
        chosen = AgentSettings.model_validate(
            {
                "retriever_url": peer_url,
                "gateway_url": peer_url,
                "delegation_public_key_file": tokens.key_file,
                "log_level": "warning",
                "data_dir": tokens.key_file.parent / "agent-data",
                "redis_url": "redis://127.0.0.1:1/0",
                **settings,
            }
        )
        async with serving(create_app(chosen)) as url, httpx2.AsyncClient(base_url=url, timeout=60) as client:
            client.headers["Authorization"] = f"Bearer {tokens.token()}"
            yield client


def events_of(body: str) -> list[tuple[str, dict[str, object] | None]]:
    """The events of a stream as (name, data); `[DONE]` has none."""
    found: list[tuple[str, dict[str, object] | None]] = []
    for block in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "data" in fields:
            data = None if fields["data"] == "[DONE]" else json.loads(fields["data"])
            found.append((fields.get("event", "message"), data))
    return found
