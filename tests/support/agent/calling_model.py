"""A model server on loopback that multiplies by the calculator: it calls the tool, then says what came of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ARGUMENTS = json.dumps({"expression": "6 * 7"})
USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}


class _Handler(BaseHTTPRequestHandler):
    heard: list[dict[str, str]]

    def do_POST(self) -> None:
        self.heard.append({name.lower(): value for name, value in self.headers.items()})
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message, reason = _turn(body["messages"])
        if body.get("stream"):
            frames = [{"delta": message, "finish_reason": None}, {"delta": {}, "finish_reason": reason}]
            lines = [json.dumps(_reply("chat.completion.chunk", [{"index": 0} | frame])) for frame in frames]
            lines.append(json.dumps(_reply("chat.completion.chunk", []) | {"usage": USAGE}))
            self._send("text/event-stream", "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]))
        else:
            choice = {"index": 0, "message": message, "finish_reason": reason}
            self._send("application/json", json.dumps(_reply("chat.completion", [choice]) | {"usage": USAGE}))

    def _send(self, media_type: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output is for pytest."""


def _turn(messages: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """A message and why it ends."""
    if messages[-1]["role"] == "tool":
        return {"role": "assistant", "content": f"It is {messages[-1]['content']}."}, "stop"
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "calculator", "arguments": ARGUMENTS}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"


def _reply(kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "calls", "choices": choices}


@contextmanager
def calling_model(heard: list[dict[str, str]] | None = None) -> Iterator[str]:
    """Its base URL, until the block ends. The headers of each call are added to `heard`."""
    handler = type("Handler", (_Handler,), {"heard": [] if heard is None else heard})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
