"""A retriever under test: its app, tokens that it accepts, and an inference that embeds by hashes over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import socket
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread

import httpx2
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from contracts.access.delegation import Audience, Delegation, Scope
from contracts.models.catalog import Embedding, EmbeddingReply, EmbeddingRequest, EmbeddingUsage, ModelInfo, ModelList
from retriever.bootstrap import MIGRATIONS, assemble, create_app
from retriever.models.protocol import Reranker
from retriever.settings import RetrieverSettings
from retriever.stores.edge.store import EdgeStore
from retriever.stores.readiness import prepare
from retriever.testing.hashed_embedder import HashedEmbedder
from retriever.testing.lexical_reranker import LexicalReranker
from servicekit.auth.delegation import DelegationSigner, generate_key_pair
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate


class Tokens:
    """Signs tokens; the public key lies in `key_file`."""

    def __init__(self, folder: Path) -> None:
        private, public = generate_key_pair()
        self.key_file = folder / "delegation.pub"
        self.key_file.write_bytes(public)
        self._signer = DelegationSigner(private)

    def token(
        self,
        tenant: str = "acme",
        audiences: tuple[Audience, ...] = ("retriever", "inference"),
        collections: tuple[str, ...] | None = None,
        lifetime_seconds: float = 600,
        scopes: tuple[Scope, ...] = ("documents", "search"),
    ) -> str:
        """A token with these claims."""
        claims = Delegation(
            audiences=audiences,
            tenant=tenant,
            key_id="k",
            scopes=scopes,
            request_id="req_1",
            collections=collections,
        )
        return self._signer.sign(claims, timedelta(seconds=lifetime_seconds))


@asynccontextmanager
async def retriever_client(
    folder: Path, tokens: Tokens, embedder: HashedEmbedder, reranker: Reranker | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a retriever's app, in this process, on Qdrant Edge and SQLite in `folder`."""
    settings = RetrieverSettings(data_dir=folder, delegation_public_key_file=tokens.key_file)
    async with AsyncExitStack() as opened:  # a test that fails leaves nothing open for the next one to trip over
        store = EdgeStore(folder / "vectors")
        opened.push_async_callback(store.close)
        database = Database.open(None, folder, "retriever")
        opened.push_async_callback(database.close)
        await migrate(database, MIGRATIONS)
        await prepare(store)
        app = create_app(settings, assemble(settings, database, store, embedder, reranker or LexicalReranker()))
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        await opened.enter_async_context(app.router.lifespan_context(app))
        yield await opened.enter_async_context(httpx2.AsyncClient(transport=transport, base_url="http://r"))


def hashed_inference(embedder: HashedEmbedder) -> FastAPI:
    """Inference's calls that the retriever makes, answered by hashes."""
    app = FastAPI()

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models() -> ModelList:
        chat = ModelInfo(id="chatty", kind="chat", default=True, context_length=2048)
        embedding = [
            ModelInfo(
                id=each.name,
                kind="embedding",
                default=each == embedder.served,
                dimensions=each.dimensions,
                context_length=each.max_input_tokens,
            )
            for each in embedder.models.values()
        ]
        return ModelList(data=[chat, *embedding])

    @app.post("/v1/embeddings")
    async def embeddings(body: EmbeddingRequest) -> EmbeddingReply:
        texts = [body.input] if isinstance(body.input, str) else body.input
        made = await embedder.embed(body.model, texts, body.priority, "")
        data = [
            Embedding(index=at, embedding=base64.b64encode(array("f", vector).tobytes()).decode())
            for at, vector in enumerate(made.vectors)
        ]
        usage = EmbeddingUsage(prompt_tokens=made.tokens, total_tokens=made.tokens)
        return EmbeddingReply(data=data, model=body.model, usage=usage)

    return app


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The base URL of an app that is served on a free loopback port by a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_keep_alive=600))
    thread = Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
