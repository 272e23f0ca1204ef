from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from gateway.api.key_guard import KeyGuard
from gateway.auth.errors import KeyMissing
from gateway.auth.keys import Principal

KEY = Principal("k1", "acme", frozenset({"chat"}))
CHAT = Route("/v1/chat", lambda _: Response(), methods=["POST"])


class Deps:
    """Knows who calls, and that nobody does without a header."""

    async def identify(self, scope: Scope) -> Principal:
        if not scope["headers"]:
            raise KeyMissing
        return KEY


async def _status(guard: KeyGuard, path: str, *headers: tuple[bytes, bytes]) -> int:
    sent: list[Message] = []

    async def receive() -> Any:
        raise AssertionError("a body is read")

    async def send(message: Message) -> None:
        sent.append(message)

    app = SimpleNamespace(state=SimpleNamespace(dependencies=Deps()))
    scope = {"type": "http", "method": "POST", "path": path, "headers": list(headers), "app": app}
    await guard({**scope, "state": {"request_id": "r1"}}, receive, send)
    return int(sent[0]["status"])


async def test_who_calls_is_asked_before_a_body_is_read_and_open_paths_ask_nobody() -> None:
    async def app(scope: Scope, _: Receive, send: Send) -> None:
        assert scope["path"] == "/healthz" or scope["state"]["principal"] is KEY
        await send({"type": "http.response.start", "status": 200, "headers": []})

    guard = KeyGuard(app, [CHAT], 1)
    assert await _status(guard, "/v1/keys") == 401
    assert await _status(guard, "/v1/keys", (b"authorization", b"Bearer gw_x")) == 200
    assert await _status(guard, "/healthz") == 200


async def test_as_many_calls_as_a_process_takes_are_let_in_and_no_other_is_counted() -> None:
    running, end = asyncio.Event(), asyncio.Event()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        running.set()
        await end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    guard, key = KeyGuard(app, [CHAT], 1), (b"authorization", b"Bearer gw_x")
    first = asyncio.create_task(_status(guard, "/v1/chat", key))
    await running.wait()
    assert await _status(guard, "/v1/chat", key) == 429
    end.set()
    assert await first == 200
    assert await _status(guard, "/v1/chat", key) == 200
