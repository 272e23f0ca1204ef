"""Small stand-ins for the services behind the gateway: each holds tokens to its audience and answers by script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import aiohttp
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from tests.support.gateway.indexes import indexes
from tests.support.gateway.seen import Seen
from tests.support.gateway.shelves import shelves
from tests.support.gateway.texts import answer_texts
from tests.support.gateway.versions import model_of, named, version_of, writer_of

from contracts.agents.agents import Agent
from contracts.core.health import Health
from contracts.models.catalog import ModelInfo, ModelPrice
from contracts.retrieval.collections import Chunking, Collection, CollectionChange
from servicekit.auth.delegation import Caller, DelegationVerifier, require
from servicekit.core.errors import InvalidRequest, NotFound, NotReady, QueueFull, UpstreamFailed
from servicekit.core.identifiers import new_id
from servicekit.streams.sse import DONE, encode, encode_error
from servicekit.web.error_handlers import install_error_handlers

PRICE = ModelPrice(prompt_usd_per_million=Decimal("1"), completion_usd_per_million=Decimal("2"))
USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
SAYS = "says "
"""Begins an act that is an answer in these words."""
COLLECTIONS = ("handbook", "papers", "secret")


def _app(public_key: Path, service: str) -> FastAPI:
    app = FastAPI()
    app.state.verifier = DelegationVerifier(public_key)
    install_error_handlers(app)

    @app.get("/readyz")
    async def readyz() -> Health:
        return Health(status="ok", service=service, version="0")

    return app


def inference(public_key: Path, seen: Seen, *, reranker: bool = False) -> FastAPI:
    """Models `echo` (the default), `free` (no price), `slow`, `broken`, `full` and `mini` (embeddings)."""
    app = _app(public_key, "inference")
    chat = [
        ModelInfo(**named(name), price=PRICE, default=name == "echo", context_length=4096, created=7)
        for name in ("echo", "slow")
    ]
    chat += [ModelInfo(**named(name)) for name in ("free", "broken", "full", "cut")]
    other = [ModelInfo(id="mini", kind="embedding", default=True, dimensions=3, price=PRICE)]
    other += [ModelInfo(id="judge", kind="rerank", price=PRICE)] if reranker else []

    @app.get("/v1/models")
    async def models(caller: Annotated[Caller, require("inference")]) -> Any:
        return {"object": "list", "data": [model.model_dump(mode="json") for model in (*chat, *other)]}

    @app.post("/v1/tenants/{name}/purge", status_code=204)
    async def purge(name: str, request: Request, caller: Annotated[Caller, require("inference")]) -> None:
        seen.note("inference", request, caller)

    @app.get("/v1/models/{name:path}")
    async def model_named(name: str, caller: Annotated[Caller, require("inference")]) -> ModelInfo:
        return model_of((*chat, *other), name)

    @app.post("/v1/chat/completions")
    async def complete(request: Request, caller: Annotated[Caller, require("inference")]) -> Response:
        body = await request.json()
        seen.note("inference", request, caller, body)
        acts = seen.script.get(body["model"]) or [""]
        act = acts.pop(0) if len(acts) > 1 else acts[0]  # the last one stays
        if act and act != "ok" and not act.startswith(SAYS):
            return await _scripted(act, body, seen)
        if body["model"] == "full":
            raise QueueFull("The model's queue is full.", retry_after=7)
        if body.get("stream"):
            told = version_of(body["model"]).headers()
            return StreamingResponse(_tokens(body, seen), media_type="text/event-stream", headers=told)
        answer = {**_answered(body), "usage": USAGE}
        said = act.removeprefix(SAYS) if act.startswith(SAYS) else "Hello there"
        message = {"role": "assistant", "content": said, "x_extra": 1}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return JSONResponse({**answer, "choices": choices}, headers=version_of(body["model"]).headers())

    answer_texts(app, seen)
    return app


def _answered(body: dict[str, Any]) -> dict[str, Any]:
    """The head of a whole answer."""
    return {"id": new_id("chatcmpl"), "object": "chat.completion", "created": 1, "model": body["model"]}


def _chunk(model: str, delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices, **more}
    return encode(json.dumps(chunk))


async def _scripted(act: str, body: dict[str, Any], seen: Seen) -> Response:
    """A failure: `503`, `429`, `overflow`, `refuse`, `hang`, `event` (an error in a 200 stream), `role_event` (the same
    after a frame that says nothing), `content_event` (after content), `malformed`, `leak` (an address, whole).
    """
    if act.isdigit():
        raise QueueFull("Full.", retry_after=0.01) if act == "429" else NotReady("Loading.")
    if act == "overflow":
        raise TooLong("Too long.")
    if act == "hang":
        seen.begun.set()
        await seen.release.wait()
    if act == "refuse" and not body.get("stream"):
        message = {"role": "assistant", "content": None, "refusal": "No."}
        answer = {**_answered(body), "usage": USAGE}
        return JSONResponse({**answer, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    async def stream() -> AsyncIterator[bytes]:
        if act == "refuse":
            yield _chunk(body["model"], {"role": "assistant", "refusal": "No."})
            yield DONE
        if act == "role_event":
            yield b": waiting\n\n" + _chunk(body["model"], {"role": "assistant", "content": ""})
        if act == "leak":
            yield _chunk(body["model"], {"role": "assistant", "content": "Write to "})
            yield _chunk(body["model"], {"content": "ada@example.org, please. "}, "stop")
        if act == "content_event":
            yield _chunk(body["model"], {"role": "assistant", "content": "Hel"})
        yield b"data: {half" if act == "malformed" else encode_error(UpstreamFailed("The engine failed."), "inner")

    return StreamingResponse(stream(), media_type="text/event-stream")


class TooLong(InvalidRequest):
    """A prompt that does not fit."""

    code = "context_length_exceeded"


async def _tokens(body: dict[str, Any], seen: Seen) -> AsyncIterator[bytes]:
    model = body["model"]
    if model == "broken":
        yield encode_error(QueueFull("The engine is full."), "inner")
        return
    yield _chunk(model, {"role": "assistant", "content": "Hel"})
    if model == "cut":
        yield b"data: {half"
        return
    if model == "slow":
        seen.begun.set()
        try:
            await seen.release.wait()
        except asyncio.CancelledError:
            seen.cancelled.set()
            raise
    yield _chunk(model, {"content": "lo"}, "stop")
    if body.get("stream_options", {}).get("include_usage"):
        yield _chunk(model, {}, choices=[], usage=USAGE)
    yield DONE


def retriever(public_key: Path, seen: Seen) -> FastAPI:
    """Three collections in tenant `default`, one in any other; a search that embeds three tokens."""
    app = _app(public_key, "retriever")

    @app.get("/v1/collections")
    async def listed(
        request: Request, caller: Annotated[Caller, require("retriever")], limit: int, cursor: str | None = None
    ) -> Any:
        seen.note("retriever", request, caller)
        names = COLLECTIONS if caller.tenant == "default" else ("theirs",)
        at = int(cursor or 0)
        page = [collection_of(name).model_dump(mode="json") for name in names[at : at + 2]]
        return {"data": page, "next_cursor": str(at + 2) if at + 2 < len(names) else None}

    @app.get("/v1/collections/{name}")
    async def shown(name: str, request: Request, caller: Annotated[Caller, require("retriever")]) -> Any:
        seen.note("retriever", request, caller)
        if name == "nothing":
            raise NotFound("There is no such collection.")
        changes = {
            "revision": seen.revisions.get(name, 4),
            "created_at": seen.births.setdefault(name, datetime.now(UTC)),
            "delete_records": seen.delete_records,
        }
        return collection_of(name).model_copy(update=changes).model_dump(mode="json")

    @app.post("/v1/search")
    async def search(request: Request, caller: Annotated[Caller, require("retriever")]) -> Any:
        body = await request.json()
        seen.note("retriever", request, caller, body)
        if seen.hold_searches:
            seen.begun.set()
            while not seen.release.is_set():
                if await request.is_disconnected():
                    seen.cancelled.set()
                    break
                await asyncio.sleep(0.01)
        usage = {"embedding_tokens": 3, "embedding_model": "mini", "rerank_tokens": 0}
        metadata = {"usage": {"embedding_tokens": 0}}
        hits = [{"metadata": metadata, "text": "x"}] if body["query"] == "tricky" else seen.found_by(body)
        return {"hits": hits, "degraded": [], "timings": {}, "usage": usage, "collection_revision": 4}

    return app


def collection_of(name: str) -> Collection:
    return Collection(
        name=name,
        embedding_model="mini",
        dimensions=3,
        max_input_tokens=256,
        chunking=Chunking(),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _tenants(app: FastAPI, seen: Seen) -> None:
    @app.post("/v1/tenants/{name}/deletion", status_code=202)
    async def delete_tenant(name: str, request: Request, caller: Annotated[Caller, require("ingest")]) -> Any:
        seen.note("ingest", request, caller)
        about = {"kind": "tenant_deletion", "document_id": "", "collection": "", "created_at": "2026-01-01T00:00:00Z"}
        return {"job": {"id": "job_1", "status": "queued", "stage": "queued", **about}}


def _pictures(app: FastAPI, seen: Seen) -> None:
    @app.get("/v1/collections/{name}/documents/{document}/pages/{n}.png")
    async def picture(
        name: str, document: str, n: int, request: Request, caller: Annotated[Caller, require("ingest")]
    ) -> Response:
        seen.note("ingest", request, caller)
        headers = {"ETag": f'"{n}"', "X-Groundwork-Boxes": "[[1,2,3,4]]"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(b"a picture", headers=headers, media_type="image/png")


def ingest(public_key: Path, seen: Seen) -> FastAPI:
    """Counts the bytes of uploads as they arrive; serves one text, one download and one stream of job events."""
    app = _app(public_key, "ingest")
    _tenants(app, seen)
    shelves(app, seen)
    indexes(app, seen)
    _pictures(app, seen)

    @app.post("/v1/collections/{name}/documents", status_code=202)
    async def upload(name: str, request: Request, caller: Annotated[Caller, require("ingest")]) -> Any:
        if name == "closed":
            raise NotFound("There is no collection 'closed'.", param="name")
        size = 0
        seen.begun.set()
        try:
            async for piece in request.stream():
                size += len(piece)
        finally:
            seen.note("ingest", request, caller, size)
        return {"document": {"id": "d1", "bytes": size}, "job": {"id": "job_1"}}

    @app.get("/v1/collections/{name}/documents/{document}/content")
    async def content(
        name: str, document: str, request: Request, caller: Annotated[Caller, require("ingest")]
    ) -> Response:
        seen.note("ingest", request, caller)
        if document == "missing":
            raise NotFound("There is no document 'missing'.", param="id")
        headers = {"Content-Disposition": "attachment; filename=a.txt", "ETag": '"1"', "Server-Secret": "x"}
        return Response(b"bytes of " + document.encode(), headers=headers, media_type="text/plain")

    @app.get("/v1/jobs/{job}/events")
    async def events(job: str, request: Request, caller: Annotated[Caller, require("ingest")]) -> Response:
        return StreamingResponse(_events_of(job, seen), media_type="text/event-stream")

    @app.patch("/v1/collections/{name}")
    async def change(
        name: str, changes: CollectionChange, request: Request, caller: Annotated[Caller, require("ingest")]
    ) -> dict[str, Any]:
        seen.note("ingest", request, caller)
        seen.changes.setdefault(name, {}).update(changes.model_dump(mode="json", exclude_unset=True))
        return {**collection_of(name).model_dump(mode="json"), **seen.changes[name]}

    @app.get("/v1/collections/{name}")
    async def collection(name: str, request: Request, caller: Annotated[Caller, require("ingest")]) -> dict[str, Any]:
        seen.note("ingest", request, caller)
        return {**collection_of(name).model_dump(mode="json"), **seen.changes.get(name, {})}

    @app.delete("/v1/collections/{name}", status_code=204)
    @app.delete("/v1/collections/{name}/documents/{document}", status_code=204)
    async def delete(
        name: str, request: Request, caller: Annotated[Caller, require("ingest")], document: str = ""
    ) -> None:
        seen.note("ingest", request, caller)

    return app


async def _events_of(job: str, seen: Seen) -> AsyncIterator[bytes]:
    yield encode('{"status": "running"}', event_id="1")
    while job == "endless":
        await asyncio.sleep(0.02)
        yield b": still at work\n\n"
    if job == "job_slow":
        await seen.release.wait()
    yield encode('{"status": "ready"}', event_id="2")


def _agents(app: FastAPI) -> None:
    made = datetime(2026, 1, 2, tzinfo=UTC)
    helper = Agent(name="helper", instructions="Help.", version=1, created_at=made, updated_at=made)

    @app.get("/v1/agents")
    async def agents(caller: Annotated[Caller, require("agent")]) -> Any:
        mine = [helper.model_dump(mode="json")] if caller.tenant == "default" else []
        return {"data": mine, "next_cursor": None}

    @app.get("/v1/agents/{name}")
    async def agent_named(name: str, caller: Annotated[Caller, require("agent")]) -> Any:
        if name != "helper" or caller.tenant != "default":
            raise NotFound("There is no such agent.")
        return helper.model_dump(mode="json")


def agent(public_key: Path, seen: Seen, plane_url: list[str]) -> FastAPI:
    """Answers from documents with a search and two model calls through the gateway's model plane, by the caller's own
    token. For the model `slow` it gives its draft up once that has begun, as a real agent does with one that it can't
    use, and answers without it."""
    app = _app(public_key, "agent")
    _agents(app)

    async def ask_models(caller: Caller, request: Request, model: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {caller.token}", "X-Request-Id": request.headers["x-request-id"]}
        wrote: dict[str, str] = {}
        async with aiohttp.ClientSession(headers=headers) as session:
            chat = {"model": model, "messages": [{"role": "user", "content": "q"}]}
            if model == "slow":
                async with session.post(plane_url[0] + "/v1/chat/completions", json={**chat, "stream": True}) as draft:
                    wrote |= writer_of(draft.headers)
                    await draft.content.readany()  # leaving closes the connection
                model = "echo"
            for path, body in (
                ("/v1/search", {"query": "q", "collections": ["handbook"]}),
                ("/v1/chat/completions", {**chat, "model": model}),
                ("/v1/embeddings", {"input": ["a", "b"], "priority": "bulk"}),
            ):
                async with session.post(plane_url[0] + path, json=body) as answer:
                    assert answer.status == 200, await answer.text()
                    wrote |= writer_of(answer.headers) if "messages" in body else {}
        return wrote

    @app.post("/v1/tenants/{name}/purge", status_code=204)
    async def purge(name: str, request: Request, caller: Annotated[Caller, require("agent")]) -> None:
        seen.note("agent", request, caller)

    def report(body: dict[str, Any], wrote: dict[str, str]) -> dict[str, Any]:
        receipt: dict[str, Any] = {
            "request_id": "r",
            "fingerprints": wrote,
            "tokens": {"prompt": 100, "completion": 10, "embedding": 13},
            "cost_usd": None,
        }
        names = body["model"].removeprefix("rag:").split(",")
        receipt["collection_revisions"] = {name: seen.revisions.get(name, 4) for name in names}
        wanted = {"receipt": receipt} if "receipt" in body["groundwork"]["include"] else {}
        return {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["handbook"], **wanted}

    @app.post("/v1/chat/completions")
    async def complete(request: Request, caller: Annotated[Caller, require("agent")]) -> Response:
        body = await request.json()
        seen.note("agent", request, caller, body)
        wrote = await ask_models(caller, request, body["groundwork"].get("model") or "default")
        link = {"start_index": 5, "end_index": 8, "url": "/v1/collections/handbook/documents/d/content", "title": "t"}
        ours = {"index": 5, "marker": "[1]", "quote": "the quote", **seen.citation}
        annotation = {"type": "url_citation", "url_citation": link, **ours}
        if body.get("stream"):

            async def stream() -> AsyncIterator[bytes]:
                yield _chunk(body["model"], {"role": "assistant", "content": "Yes. [1]", "annotations": [annotation]})
                yield _chunk(body["model"], {}, "stop", groundwork=report(body, wrote))
                yield DONE

            return StreamingResponse(stream(), media_type="text/event-stream")
        message = {"role": "assistant", "content": "Yes. [1]", "annotations": [annotation]}
        answer = {**_answered(body), "usage": USAGE}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return JSONResponse({**answer, "choices": choices, "groundwork": report(body, wrote)})

    return app
