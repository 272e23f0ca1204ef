"""An inference that keeps its own bill: what it was asked, by request id, and what it used for each answer.

Models: `paid` (a price), `gratis` (price 0), `mute` (streams report no usage), `flaky` (every third call fails before
it begins), `clumsy` (calls a tool where it has some, with arguments that are no JSON), and `mini` (embeddings, a
price).
A prompt has as many tokens as `user` says, an answer `max_tokens`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from contracts.core.health import Health
from contracts.models.catalog import ModelInfo, ModelPrice
from servicekit.auth.delegation import Caller, DelegationVerifier, require
from servicekit.core.errors import UpstreamFailed
from servicekit.streams.sse import DONE, encode
from servicekit.web.error_handlers import install_error_handlers

PRICE = ModelPrice(
    prompt_usd_per_million=Decimal("1.7"),
    completion_usd_per_million=Decimal("2.3"),
    cached_prompt_usd_per_million=Decimal("0.4"),
)
FREE = ModelPrice(prompt_usd_per_million=Decimal(0))
TOKENIZER = json.dumps(
    {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"},
    }
)  # fmt: skip
"""Counts words, of which an answer has one a token."""
PACE_SECONDS = 0.002


@dataclass
class Bill:
    """One answer as the upstream counts it. `whole` says that its usage was sent."""

    model: str
    prompt: int
    completion: int = 0
    cached: int = 0
    whole: bool = False
    failed: bool = False


@dataclass
class UpstreamBook:
    """All that was asked, in the order of arrival for each request id, and how many answers run."""

    bills: dict[str, list[Bill]] = field(default_factory=dict)
    running: int = 0
    calls: int = 0
    searched: int = 0
    """Tokens of queries that searches embedded."""

    def open(self, request: Request, body: dict[str, Any]) -> Bill:
        self.calls += 1
        bill = Bill(body["model"], int(body.get("user") or 1), cached=self.calls % 5)
        self.bills.setdefault(request.headers["x-request-id"], []).append(bill)
        return bill

    def all(self) -> list[Bill]:
        return [bill for bills in self.bills.values() for bill in bills]


def billing_inference(public_key: Path, book: UpstreamBook) -> FastAPI:
    """The app."""
    app = FastAPI()
    app.state.verifier = DelegationVerifier(public_key)
    install_error_handlers(app)
    prices = {"paid": PRICE, "gratis": FREE, "mute": PRICE, "flaky": PRICE, "clumsy": PRICE}
    models = [
        ModelInfo(id=name, kind="chat", price=price, default=name == "paid", packaged=name == "paid")
        for name, price in prices.items()
    ]
    models.append(ModelInfo(id="mini", kind="embedding", price=PRICE, default=True, dimensions=1))

    @app.get("/readyz")
    async def readyz() -> Health:
        return Health(status="ok", service="inference", version="0")

    @app.get("/v1/models")
    async def listed(caller: Annotated[Caller, require("inference")]) -> Any:
        return {"object": "list", "data": [model.model_dump(mode="json") for model in models]}

    @app.get("/v1/models/{model}/tokenizer")
    async def tokenizer(model: str, caller: Annotated[Caller, require("inference")]) -> Response:
        return Response(TOKENIZER, media_type="application/json")

    @app.post("/v1/chat/completions")
    async def chat(request: Request, caller: Annotated[Caller, require("inference")]) -> Response:
        body = await request.json()
        bill = book.open(request, body)
        if body["model"] == "flaky" and book.calls % 3 == 0:
            bill.failed = True
            failure = UpstreamFailed("The engine fell over.")
            if book.calls % 2:  # it has read the prompt, and says so
                bill.whole, failure.usage = True, _usage(bill)
            raise failure
        length = int(body["max_tokens"])
        if body.get("stream"):
            return StreamingResponse(_stream(book, bill, body, length), media_type="text/event-stream")
        await asyncio.sleep(PACE_SECONDS)
        bill.completion, bill.whole = length, True
        calls = [_call(body, "oops " * (length - 1))] if _calls(body) else None
        message = {"role": "assistant", "content": None if calls else "word " * length, "tool_calls": calls}
        choices = [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}]
        head = {"id": "c1", "object": "chat.completion", "created": 1, "model": body["model"]}
        return JSONResponse({**head, "choices": choices, "usage": _usage(bill)})

    @app.post("/v1/embeddings")
    async def embed(request: Request, caller: Annotated[Caller, require("inference")]) -> Any:
        body = await request.json()
        bill = book.open(request, body)
        bill.cached, bill.whole = 0, True
        many = len(body["input"]) if isinstance(body["input"], list) else 1
        vector: Any = "AACAPw==" if body.get("encoding_format") == "base64" else [1.0]
        data = [{"object": "embedding", "index": at, "embedding": vector} for at in range(many)]
        usage = {"prompt_tokens": bill.prompt, "total_tokens": bill.prompt, "truncated": 0}
        return {"object": "list", "data": data, "model": "mini", "usage": usage}

    return app


def _usage(bill: Bill) -> dict[str, Any]:
    bill.cached = min(bill.cached, bill.prompt)
    return {
        "prompt_tokens": bill.prompt,
        "completion_tokens": bill.completion,
        "total_tokens": bill.prompt + bill.completion,
        "prompt_tokens_details": {"cached_tokens": bill.cached},
    }


def _calls(body: dict[str, Any]) -> bool:
    return body["model"] == "clumsy" and bool(body.get("tools"))


def _call(body: dict[str, Any], arguments: str) -> dict[str, Any]:
    function = {"name": body["tools"][0]["function"]["name"], "arguments": arguments}
    return {"index": 0, "id": "c1", "type": "function", "function": function}


def _delta(body: dict[str, Any], at: int) -> dict[str, Any]:
    """One token: a word, or the tool's name and then a word of its arguments."""
    if _calls(body):
        return {"tool_calls": [{"index": 0, "function": {"arguments": "oops "}} if at else _call(body, "")]}
    return {"content": "word\n" if at % 4 == 3 else "word "}  # lines, which a reader gives up on one by one


async def _stream(book: UpstreamBook, bill: Bill, body: dict[str, Any], length: int) -> AsyncIterator[bytes]:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    book.running += 1
    try:
        for at in range(length):
            await asyncio.sleep(PACE_SECONDS)
            bill.completion += 1
            choices = [{"index": 0, "delta": _delta(body, at), "finish_reason": None}]
            yield encode(json.dumps({**head, "choices": choices}))
        reason = "tool_calls" if _calls(body) else "stop"
        yield encode(json.dumps({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
        if body["model"] != "mute" and (body.get("stream_options") or {}).get("include_usage"):
            bill.whole = True
            yield encode(json.dumps({**head, "choices": [], "usage": _usage(bill)}))
        yield DONE
    finally:
        book.running -= 1
