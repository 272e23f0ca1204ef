"""A caller without a socket: what it sends, when it leaves, and what it is sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from gateway.streaming.exchange import Exchange


class Caller:
    """Sends a body in pieces; an event between them holds the rest back until it is set. Stays until it leaves."""

    def __init__(self, *pieces: bytes | asyncio.Event, **headers: str) -> None:
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self._pieces = list(pieces or (b"",))
        self._sends_all = True
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.scope: Scope = {
            "type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": named,
            "path_params": {}, "state": {"request_id": "req_1"},
        }  # fmt: skip
        self.exchange = Exchange(*self.connection)

    @classmethod
    def of(cls, body: object, **headers: str) -> Caller:
        """One that sends JSON."""
        return cls(json.dumps(body).encode(), **headers)

    def at(self, **params: str) -> Caller:
        """With these values in its path."""
        self.scope["path_params"].update(params)
        return self

    def breaks_off(self) -> Caller:
        """Leaves after these pieces, though it has announced more."""
        self._sends_all = False
        self.left.set()
        return self

    @property
    def connection(self) -> tuple[Scope, Receive, Send]:
        return self.scope, self._receive, self._send

    @property
    def status(self) -> int:
        return int(self._head["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self._head["headers"]}

    @property
    def pieces(self) -> list[bytes]:
        """What it was sent of a body."""
        return [one["body"] for one in self.sent if one["type"] == "http.response.body" and one.get("body")]

    @property
    def json(self) -> Any:
        return json.loads(b"".join(self.pieces))

    @property
    def has_end(self) -> bool:
        return self.sent[-1]["type"] == "http.response.body" and not self.sent[-1].get("more_body", False)

    @property
    def _head(self) -> Message:
        (head,) = [one for one in self.sent if one["type"] == "http.response.start"]
        return head

    async def _receive(self) -> Message:
        while self._pieces:
            piece = self._pieces.pop(0)
            if isinstance(piece, bytes):
                more = bool(self._pieces) or not self._sends_all
                return {"type": "http.request", "body": piece, "more_body": more}
            await piece.wait()
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
