"""A fake inference for `make bench-gateway`: answers chat calls at a fixed pace, from ready bytes.

`python -m benchmarks.gateway.gateway_upstream` prints its port. The pace is in the request's `user` field,
since gateways drop headers: `pace-<ms to the first chunk>-<ms between chunks>-<chunks>`.
"""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from itertools import count
from typing import cast

import uvloop

from contracts.models.catalog import ModelInfo, ModelList, ModelPrice

MODEL = "bench"
USAGE = {"prompt_tokens": 100, "completion_tokens": 16, "total_tokens": 116}
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_PACE = re.compile(rb'"user": ?"pace-(\d+)-(\d+)-(\d+)"')
_STREAM = re.compile(rb'"stream": ?true')
_ID = b"chatcmpl_000000000000000000000000"
"""Stands for an answer's own id, of the same length."""
_numbers = count()
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def _event(data: str) -> bytes:
    event = f"data: {data}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


def _chunk(choices: list[object], **more: object) -> bytes:
    chunk = {
        "id": _ID.decode(),
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": choices,
        **more,
    }
    return _event(json.dumps(chunk, separators=(",", ":")))


def _whole() -> bytes:
    message = {"role": "assistant", "content": "An answer of about sixteen tokens, as a small model would give it."}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    answer = {
        "id": _ID.decode(),
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": choices,
        "usage": USAGE,
    }
    return _answer(json.dumps(answer).encode())


PRICE = ModelPrice(prompt_usd_per_million=Decimal("0.05"), completion_usd_per_million=Decimal("0.2"))
MODELS = _answer(
    ModelList(data=[ModelInfo(id=MODEL, kind="chat", default=True, price=PRICE, context_length=8192)])
    .model_dump_json()
    .encode()
)
READY = _answer(b'{"status":"ok","service":"inference","version":"0"}')
WHOLE = _whole()
CONTENT = _chunk([{"index": 0, "delta": {"content": " token"}, "finish_reason": None}])
LAST = (
    _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    + _chunk([], usage=USAGE)
    + _event("[DONE]")
    + b"0\r\n\r\n"
)


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer when a request is whole; there is no pipelining."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head)
        chunked = b"chunked" in head.lower()
        if (chunked and not body.endswith(b"0\r\n\r\n")) or (length and len(body) < int(length[1])):
            return
        self._buffer = b""
        self._begin(head, body)

    def _begin(self, head: bytes, body: bytes) -> None:
        if not head.startswith(b"POST"):
            self._write(MODELS if b"/v1/models" in head.partition(b"\r\n")[0] else READY)
            return
        paced = _PACE.search(body)
        first, between, chunks = (int(part) for part in paced.groups()) if paced else (0, 0, 1)
        own = b"chatcmpl_%024x" % next(_numbers)
        whole, content, last = (part.replace(_ID, own) for part in (WHOLE, CONTENT, LAST))
        if not _STREAM.search(body):
            self._later(first, whole)
            return
        self._later(first, SSE_HEAD + content)
        for number in range(1, chunks):
            self._later(first + number * between, content)
        self._later(first + chunks * between, last)

    def _later(self, milliseconds: int, data: bytes) -> None:
        if milliseconds:
            asyncio.get_running_loop().call_later(milliseconds / 1000, self._write, data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
