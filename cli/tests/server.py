"""A tiny in-process HTTP server for the client's tests: a function from request to response, no sockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2

from groundwork.client import Groundwork

Handler = Callable[[httpx2.Request], httpx2.Response]
Serve = Callable[[Handler], None]
"""What the commands' fixture `serve` is."""


def client_of(handler: Handler) -> Groundwork:
    """The real client on an in-memory transport."""
    return Groundwork("http://groundwork.test", "gw-key", transport=httpx2.MockTransport(handler))


def by_path(**answers: httpx2.Response) -> Handler:
    """A server that gives each answer to the calls whose path ends so."""
    return lambda request: next(given for end, given in answers.items() if request.url.path.endswith(end))


def page(*items: dict[str, Any]) -> httpx2.Response:
    """The only page of a list."""
    return httpx2.Response(200, json={"data": items, "next_cursor": None})


def error(status: int, code: str, message: str = "It went wrong.", **headers: str) -> httpx2.Response:
    """An error envelope."""
    kind = {401: "authentication", 404: "not_found", 409: "conflict", 429: "rate_limited"}.get(status, "internal")
    body = {"error": {"type": kind, "code": code, "message": message, "param": None, "request_id": "req-1"}}
    return httpx2.Response(status, json=body, headers=headers)


def sse(*events: dict[str, Any] | str, error: dict[str, Any] | None = None) -> httpx2.Response:
    """A stream of `data:` events, then perhaps an `event: error`."""
    lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events]
    if error is not None:
        lines.append(f"event: error\ndata: {json.dumps(error)}\n\n")
    return httpx2.Response(200, text="".join(lines), headers={"Content-Type": "text/event-stream"})


def job(status: str = "running", stage: str = "parsing", **fields: Any) -> dict[str, Any]:
    """A job as the API shows it."""
    return {
        "id": "job-1",
        "document_id": "doc-1",
        "collection": "c",
        "status": status,
        "stage": stage,
        "created_at": "2026-01-01T00:00:00Z",
        **fields,
    }


def collection(**fields: Any) -> dict[str, Any]:
    """A collection as the API shows it."""
    return {
        "name": "c",
        "embedding_model": "minilm",
        "dimensions": 4,
        "max_input_tokens": 256,
        "chunking": {},
        "created_at": "2026-01-01T00:00:00Z",
        **fields,
    }


def document(status: str = "queued", **fields: Any) -> dict[str, Any]:
    """A document as the API shows it."""
    return {
        "id": "doc-1",
        "collection": "c",
        "title": "A title",
        "source": "a.md",
        "media_type": "text/markdown",
        "bytes": 3,
        "sha256": "00",
        "revision": 1,
        "status": status,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        **fields,
    }


class Recorder:
    """A server that gives its answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: httpx2.Response) -> None:
        self.asked: list[httpx2.Request] = []
        self._answers = iter(answers)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one call."""
        request.read()
        self.asked.append(request)
        return next(self._answers)

    @property
    def calls(self) -> list[str]:
        """Method and path of each call."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.asked]

    def body(self, number: int = -1) -> Any:
        """The JSON that a call sent."""
        return json.loads(self.asked[number].content)


def key(**fields: Any) -> dict[str, Any]:
    """A key as the API shows it."""
    about = {"id": "key_1", "name": "n", "tenant": "t", "prefix": "gw_", "scopes": ["chat"]}
    return {**about, "created_at": "2026-01-01T00:00:00Z", **fields}
