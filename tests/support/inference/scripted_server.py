"""A plain OpenAI-compatible model server on loopback, without a tokenizer or a list of its models.

It calls the tools that the last user message names in lines `CALL name arguments`, one round of them, and tells what
they brought; any other message has the reply of the first phrase that it holds.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DEFAULT_REPLY = "Good morning."
CALL = "CALL "
PIECE_CHARS = 7
"""Of what a stream sends at once."""
Json = dict[str, Any]


class _Handler(BaseHTTPRequestHandler):
    replies: Mapping[str, str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text, calls = _turn(body["messages"], self.replies)
        reason = "tool_calls" if calls else "stop"
        usage = _usage(body["messages"], text or json.dumps(calls))
        if body.get("stream"):
            frames = [_chunk(delta, None) for delta in _deltas(text, calls)]
            frames += [_chunk({}, reason), {**_chunk({}, None), "choices": [], "usage": usage}]
            lines = [*map(json.dumps, frames), "[DONE]"]
            self._send("text/event-stream", "".join(f"data: {line}\n\n" for line in lines))
            return
        message = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "plain"}
        self._send("application/json", json.dumps({**answer, "choices": [choice], "usage": usage}))

    def _send(self, media_type: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output is for pytest."""


def _turn(messages: list[Json], replies: Mapping[str, str]) -> tuple[str | None, list[Json]]:
    """A text, or the tools that are called."""
    last = max(at for at, message in enumerate(messages) if message["role"] == "user")
    results = [_text(message) for message in messages[last:] if message["role"] == "tool"]
    if results:
        return "The tools said: " + " | ".join(results), []
    asked = _text(messages[last])
    named = [line.removeprefix(CALL).partition(" ") for line in asked.splitlines() if line.startswith(CALL)]
    functions = [{"name": name, "arguments": arguments} for name, _, arguments in named]
    calls = [{"id": f"call_{at}", "type": "function", "function": one} for at, one in enumerate(functions)]
    text = next((reply for phrase, reply in replies.items() if phrase in asked), DEFAULT_REPLY)
    return (None if calls else text), calls


def _text(message: Json) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _deltas(text: str | None, calls: list[Json]) -> Iterator[Json]:
    """Names first, arguments and texts in pieces."""
    yield {"role": "assistant", "content": ""}
    for at, call in enumerate(calls):
        function = call["function"]
        yield {"tool_calls": [{**call, "index": at, "function": {"name": function["name"], "arguments": ""}}]}
        for piece in _pieces(function["arguments"]):
            yield {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}
    for piece in _pieces(text or ""):
        yield {"content": piece}


def _pieces(text: str) -> list[str]:
    return [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]


def _chunk(delta: Json, reason: str | None) -> Json:
    about = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "plain"}
    return {**about, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def _usage(messages: list[Json], answer: str) -> Json:
    """Words for tokens."""
    read, written = sum(len(_text(message).split()) for message in messages), len(answer.split())
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


@contextmanager
def scripted_server(replies: Mapping[str, str] | None = None) -> Iterator[str]:
    """Its base URL, until the block ends; `replies` by a phrase of what is asked."""
    handler = type("Handler", (_Handler,), {"replies": replies or {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def declared(url: str) -> Json:
    """It as the model `plain`."""
    source = {"base_url": url, "upstream_model": "plain"}
    return {"name": "plain", "kind": "chat", "engine": "openai", "context_length": 32_768, "source": source}
