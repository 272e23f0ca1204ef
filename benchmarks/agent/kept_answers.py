"""A model's answers, kept: who asks the same in the same words gets the same, with the seconds that it took.

An OpenAI-compatible server between the one who asks and the model. Only for models that answer the same to the same.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2


class KeptAnswers:
    """Serves chat completions of one model, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._client: httpx2.Client | None = None
        self._model = ""
        self.address = self._listen()
        self.saved_seconds = 0.0
        """What the answers given since this was set to 0 had taken when they were made."""

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://{self.address}/v1"

    def ask_of(self, base_url: str, key: str, model: str) -> None:
        """Where answers come from that are not kept yet."""
        self._client = httpx2.Client(base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=600)
        self._model = model

    def _listen(self) -> str:
        """For as long as the process lives."""

        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _reply(self, 200, "application/json", json.dumps({"object": "list", "data": []}).encode())

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, media_type, content = kept._answer({**body, "model": kept._model})
                _reply(self, status, media_type, content)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_address[1]}"

    def _answer(self, body: dict[str, Any]) -> tuple[int, str, bytes]:
        body.pop("user", None)
        name = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        path = self._folder / f"{name}.json"
        if path.exists():
            kept = json.loads(path.read_text())
            self.saved_seconds += kept["seconds"]
            return 200, kept["media_type"], kept["content"].encode()
        assert self._client is not None, "it was said where they come from"
        started = time.perf_counter()
        reply = self._client.post("/v1/chat/completions", json=body, headers={"Cache-Control": "no-store"})
        media_type = reply.headers.get("Content-Type", "application/json")
        if reply.status_code == 200:
            seconds = time.perf_counter() - started
            path.write_text(json.dumps({"seconds": seconds, "media_type": media_type, "content": reply.text}))
        return reply.status_code, media_type, reply.content


def _reply(handler: BaseHTTPRequestHandler, status: int, media_type: str, content: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", media_type)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
