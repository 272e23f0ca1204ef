"""An OpenAI-compatible server that answers what a test gives it, and notes what it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from inference.queueing.liveness import PROBE

PROBES = [
    (PROBE.model_dump(mode="json", exclude_unset=True)["messages"], None, None),
    (None, ["probe"], None),
    (None, None, "probe"),
]
"""What inference asks to see that a model lives."""


def is_probe(body: dict[str, Any]) -> bool:
    """Whether a call is one of these, which no test is about."""
    return (body.get("messages"), body.get("input"), body.get("query")) in PROBES


def busy() -> Response:
    """The answer to a probe: alive, and too busy for questions."""
    return JSONResponse({"error": {"message": "busy with a test"}}, status_code=429)


class Upstream:
    """Answers every POST with `answer`, and notes path, headers and body. `metrics` is what its `/metrics` says."""

    def __init__(self) -> None:
        self.answer: Response = JSONResponse({})
        self.answers: list[Response] = []
        """Given first, one each."""
        self.sent: dict[str, Any] = {}
        self.path = ""
        self.refuses_probes = False
        """Whether probes have the same answer as all calls."""
        self.calls = 0
        self.called = asyncio.Event()
        self.probes = 0
        self.headers: dict[str, str] = {}
        self.left = asyncio.Event()
        self.metrics = ""
        self.app = Starlette(
            routes=[
                Route("/metrics", self._metrics),
                Route("/{path:path}", self._post, methods=["POST"]),
                Route("/{path:path}", self._get),
            ]
        )

    async def _post(self, request: Request) -> Response:
        body = await request.json()
        if is_probe(body) and not self.refuses_probes:
            self.probes += 1
            return busy()
        self.sent, self.headers, self.path = body, dict(request.headers), request.url.path
        self.calls += 1
        self.called.set()
        return self.answers.pop(0) if self.answers else self.answer

    async def _get(self, request: Request) -> Response:
        return JSONResponse({"data": []})

    async def _metrics(self, request: Request) -> Response:
        return PlainTextResponse(self.metrics)

    def stream(self, *lines: str, then_hang: bool = False) -> None:
        self.answer = self.streaming(*lines, then_hang=then_hang)

    def streaming(self, *lines: str, then_hang: bool = False) -> Response:
        async def events() -> AsyncIterator[str]:
            try:
                for line in lines:
                    yield line
                if then_hang:
                    await asyncio.Event().wait()
            finally:
                self.left.set()

        return StreamingResponse(events(), media_type="text/event-stream")

    def say(self, status: int, body: Any, **headers: str) -> None:
        self.answer = JSONResponse(body, status_code=status, headers=headers)


def chunk(content: str | None = None, reason: str | None = None, **more: Any) -> str:
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": reason} | more
    return f"data: {json.dumps({'id': 'x', 'model': 'far', 'choices': [choice]})}\n\n"


DONE = "data: [DONE]\n\n"
