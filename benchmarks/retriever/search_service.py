"""A retriever process as it is run, beside an inference that answers with ready vectors, and callers of both.

The stand-in is a process of its own: `python -m benchmarks.retriever.search_service QUESTIONS` prints its port.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from aiohttp import web

from benchmarks.retriever.search_collection import MODEL, TENANT, Question, load_questions
from contracts.access.delegation import Delegation
from contracts.models.catalog import ModelInfo, ModelList
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

START_SECONDS = 120.0
LIMIT = 10


@dataclass(frozen=True)
class Answered:
    """One search: all milliseconds from first byte sent to last byte read, those of the embedding, and the chunks."""

    total: float
    embedding: float
    chunks: list[str]
    stages: dict[str, float]

    @property
    def own(self) -> float:
        """Without the query's embedding."""
        return self.total - self.embedding


class Service:
    """A running retriever. Every search has a token of its own, as the gateway makes them."""

    def __init__(self, port: int, signer: DelegationSigner, process: int) -> None:
        self.port = port
        self._signer = signer
        self._process = psutil.Process(process)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def search_all(self, collection: str, questions: Sequence[Question], **options: Any) -> list[Answered]:
        """One search after another on one connection."""
        connection = self._connection
        calls = [(self._headers(), _body(collection, question, options)) for question in questions]
        answers = []
        for headers, body in calls:
            began = time.perf_counter()
            connection.request("POST", "/v1/search", body, headers)
            reply = connection.getresponse()
            content = reply.read()
            answers.append(_answered(time.perf_counter() - began, reply.status, content))
        return answers

    def search_at_once(self, collection: str, questions: Sequence[Question], clients: int) -> tuple[list[float], int]:
        """Milliseconds of each search with so many clients, each asking again as soon as it has its answer; and
        how many searches failed.
        """
        return asyncio.run(self._at_once(collection, questions, clients))

    def indexes_built(self) -> int:
        """How many builds of an index have ended, whatever came of them."""
        self._connection.request("GET", "/metrics")
        lines = self._connection.getresponse().read().decode().splitlines()
        counts = [line for line in lines if line.startswith("groundwork_retriever_index_builds_total{")]
        return sum(int(float(line.rpartition(" ")[2])) for line in counts)

    def has_child(self) -> bool:
        """Whether a process works for the service, as one does that builds an index."""
        return bool(self._process.children())

    def cpu_seconds(self) -> float:
        """CPU time that the service has used."""
        used = self._process.cpu_times()
        return float(used.user + used.system)

    def resident(self) -> tuple[int, int]:
        """Bytes that the process has in memory: its own, and mapped from files."""
        rollup = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines()
        (own,) = (int(line.split()[1]) * 1024 for line in rollup if line.startswith("Anonymous:"))
        return own, self._process.memory_info().rss - own

    async def _at_once(self, collection: str, questions: Sequence[Question], clients: int) -> tuple[list[float], int]:
        waiting = iter([(self._headers(), _body(collection, question, {})) for question in questions])
        times: list[float] = []
        failed = 0

        async def client(session: aiohttp.ClientSession) -> None:
            nonlocal failed
            for headers, body in waiting:
                began = time.perf_counter()
                async with session.post("/v1/search", data=body, headers=headers) as reply:
                    await reply.read()
                times.append((time.perf_counter() - began) * 1e3)
                failed += reply.status != 200

        connector = aiohttp.TCPConnector(limit=clients)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{self.port}", connector=connector) as session:
            await asyncio.gather(*(client(session) for _ in range(clients)))
        return times, failed

    def _headers(self) -> dict[str, str]:
        request_id = f"req_{time.monotonic_ns()}"
        claims = Delegation(
            audiences=("retriever", "inference"), tenant=TENANT, key_id="k", scopes=("search",), request_id=request_id
        )
        token = self._signer.sign(claims, timedelta(minutes=10))
        return {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "X-Request-Id": request_id,
        }


@contextmanager
def serving(data_dir: Path, questions_file: Path, **settings: str) -> Iterator[Service]:
    """Run both processes until the block ends."""
    private, public = generate_key_pair()
    key_file = data_dir / "delegation.pub"
    key_file.write_bytes(public)
    stand_in = [sys.executable, "-m", "benchmarks.retriever.search_service", str(questions_file)]
    inference = subprocess.Popen(stand_in, stdout=subprocess.PIPE, text=True)
    assert inference.stdout is not None
    port, inference_port = _free_port(), int(inference.stdout.readline())
    environment = {
        **os.environ,
        "RETRIEVER_PORT": str(port),
        "RETRIEVER_DATA_DIR": str(data_dir),
        "RETRIEVER_DELEGATION_PUBLIC_KEY_FILE": str(key_file),
        "RETRIEVER_INFERENCE_URL": f"http://127.0.0.1:{inference_port}",
        "RETRIEVER_GATEWAY_URL": f"http://127.0.0.1:{inference_port}",
        **settings,
    }
    log = data_dir / "retriever.log"
    with log.open("w") as output:
        retriever = subprocess.Popen([sys.executable, "-m", "retriever"], env=environment, stdout=output, stderr=output)
    try:
        _wait_ready(port, retriever, log)
        yield Service(port, DelegationSigner(private), retriever.pid)
    finally:
        for process in (retriever, inference):
            process.terminate()
            process.wait(30)


def _wait_ready(port: int, process: subprocess.Popen[Any], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the retriever did not become ready:\n{log.read_text()[-2000:]}")


def _body(collection: str, question: Question, options: dict[str, Any]) -> bytes:
    return json.dumps({"collections": [collection], "query": question.text, "limit": LIMIT, **options}).encode()


def _answered(seconds: float, status: int, content: bytes) -> Answered:
    if status != 200:
        raise RuntimeError(f"a search was answered {status}: {content[:500]!r}")
    reply = json.loads(content)
    if reply["degraded"]:
        raise RuntimeError(f"a search was degraded: {reply['degraded']}")
    timings = reply["timings"]
    return Answered(seconds * 1e3, timings.get("embed", 0.0), [hit["chunk_id"] for hit in reply["hits"]], timings)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stand_in(questions: Sequence[Question]) -> web.Application:
    """Inference's calls that the retriever makes, each answer ready before it is asked."""
    encoded = {each.text: base64.b64encode(array("f", each.vector).tobytes()).decode() for each in questions}

    async def ready(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def embeddings(request: web.Request) -> web.Response:
        texts = (await request.json())["input"]
        data = [{"index": at, "embedding": encoded[text]} for at, text in enumerate(texts)]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return web.json_response({"data": data, "model": MODEL.name, "usage": usage})

    async def models(_: web.Request) -> web.Response:
        known = ModelInfo(
            id=MODEL.name, kind="embedding", context_length=MODEL.max_input_tokens, dimensions=MODEL.dimensions
        )
        return web.json_response(ModelList(data=[known]).model_dump(mode="json"))

    app = web.Application()
    app.add_routes([
        web.get("/readyz", ready), web.get("/v1/models", models), web.post("/v1/embeddings", embeddings)
    ])  # fmt: skip
    return app


async def _serve_stand_in(app: web.Application) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    print(listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve_stand_in(_stand_in(load_questions(Path(sys.argv[1])))))
