"""The packaged chat model: tokens a second alone and in several conversations at once, first tokens, memory idle.

Usage: make bench-conversations [AT_ONCE=4] [TOKENS=128] [ROUNDS=3] [BEFORE=/path/to/another/checkout]

Inference alone with the packaged models, asked for stories over HTTP. With BEFORE the state in that checkout (it is set
up and has its own `.venv`) is measured in the same rounds, so that what else runs on the machine meets both.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import psutil

from benchmarks.home import ROOT, write_result
from benchmarks.inference.embedding_servers import free_port, running
from contracts.access.delegation import Delegation
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

AT_ONCE = int(os.environ.get("AT_ONCE", "4"))
TOKENS = int(os.environ.get("TOKENS", "128"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
BEFORE = os.environ.get("BEFORE", "")
CALL_SECONDS = 600.0


@dataclass
class Measured:
    """Of one state, a value a round."""

    alone: list[float] = field(default_factory=list)
    alone_of_processor: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)
    first_alone: list[float] = field(default_factory=list)
    first_together: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """The medians."""
        gain = median(many / one for many, one in zip(self.together, self.alone, strict=True))
        return {
            "tokens a second, alone": round(median(self.alone), 1),
            "tokens a second of processor time, alone": round(median(self.alone_of_processor), 1),
            f"tokens a second, {AT_ONCE} at once, sum": round(median(self.together), 1),
            f"{AT_ONCE} at once: times one alone": round(gain, 2),
            "first token alone, s": round(median(self.first_alone), 3),
            f"slowest first token of {AT_ONCE}, s": round(median(self.first_together), 3),
            "memory idle, all processes of inference, MB": round(median(self.resident)),
            "ready after, s": round(median(self.ready), 1),
        }


def main() -> None:
    """Measure, print, keep."""
    states = {"now": ROOT} | ({"before": Path(BEFORE).resolve()} if BEFORE else {})
    measured = {name: Measured() for name in states}
    for _ in range(ROUNDS):
        for name, checkout in states.items():
            _round(checkout, measured[name])
    figures = {name: each.figures() for name, each in measured.items()}
    for name, values in figures.items():
        for what, value in values.items():
            print(f"{name:<8} {what:<50} {value}")
    write_result("inference_conversations", figures)


def _round(checkout: Path, measured: Measured) -> None:
    began = time.monotonic()
    with inference_alone(checkout, checkout / "deploy" / "config" / "models.yaml") as (process, url, token):
        measured.ready.append(time.monotonic() - began)
        measured.resident.append(resident_bytes(process) / 1e6)
        asyncio.run(_ask(url, token, process, measured))


@contextmanager
def inference_alone(checkout: Path, models: Path) -> Iterator[tuple[psutil.Process, str, str]]:
    """Inference of a checkout with the models of a file, once it is ready: its process, address and a token for it."""
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as name:
        private, public = generate_key_pair()
        key, port = Path(name) / "delegation.pub", free_port()
        key.write_bytes(public)
        settings = {
            "INFERENCE_PORT": str(port),
            "INFERENCE_MODELS_FILE": str(models),
            "INFERENCE_DELEGATION_PUBLIC_KEY_FILE": str(key),
            "INFERENCE_DATA_DIR": name,
        }
        python = sys.executable if checkout == ROOT else str(checkout / ".venv" / "bin" / "python")
        claims = Delegation(audiences=("inference",), tenant="b", key_id="k", scopes=("chat",), request_id="req_bench")
        token = DelegationSigner(private).sign(claims, timedelta(hours=6))
        with running([python, "-m", "inference"], settings, port, "/readyz") as process:
            yield process, f"http://127.0.0.1:{port}", token


def resident_bytes(process: psutil.Process) -> int:
    """What a process and all that it started hold of the machine's memory."""
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))


def _processor_seconds(process: psutil.Process) -> float:
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


async def _ask(url: str, token: str, process: psutil.Process, measured: Measured) -> None:
    timeout = aiohttp.ClientTimeout(CALL_SECONDS)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(url, headers=headers, timeout=timeout) as session:
        await ask_story(session, "A river", 8)
        began, used = time.monotonic(), _processor_seconds(process)
        written, first = await ask_story(session, "The lighthouse", TOKENS)
        measured.alone.append(written / (time.monotonic() - began))
        measured.alone_of_processor.append(written / (_processor_seconds(process) - used))
        measured.first_alone.append(first)
        began = time.monotonic()
        stories = await asyncio.gather(*(ask_story(session, f"{each + 2} ships", TOKENS) for each in range(AT_ONCE)))
        measured.together.append(sum(tokens for tokens, _ in stories) / (time.monotonic() - began))
        measured.first_together.append(max(first for _, first in stories))


async def ask_story(session: aiohttp.ClientSession, subject: str, tokens: int) -> tuple[int, float]:
    """How many tokens an answer has, and the seconds until its first.

    The subject comes first: of a question that begins like one before it, a server has most read already.
    """
    body = {
        "model": "default",
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": tokens,
        "messages": [{"role": "user", "content": f"{subject}: tell me a very long story about it."}],
    }
    began, first, written = time.monotonic(), 0.0, 0
    async with session.post("/v1/chat/completions", json=body) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if not first and any(choice["delta"].get("content") for choice in event.get("choices", ())):
                first = time.monotonic() - began
            written = (event.get("usage") or {}).get("completion_tokens", written)
    return written, first


if __name__ == "__main__":
    main()
