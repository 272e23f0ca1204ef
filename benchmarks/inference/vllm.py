"""vLLM alone, and the same vLLM asked through gateway and inference: what the way through costs users and the GPU.

Usage: make bench-vllm URL=http://host:8000 [MODEL=served-name] [KEY=…] [USERS=64] [SECONDS=60] [TOKENS=128] [ROUNDS=2]

`USERS` people, each of whom asks again as soon as the answer is there, for `SECONDS`, by turns directly and through a
fresh home whose models file declares the server; every prompt is new, so that no cache answers. Printed for both:
output tokens a second, time to the first token and the gap between tokens at p50 and p99, calls that failed.

ADAPTER=name=/path/on/the/server adds a LoRA adapter half-way through the last round (vLLM must run with `--enable-lora`
and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True); no call of the others may fail for it, and the adapter must answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from benchmarks.gateway.gateway_load import quantile
from benchmarks.home import fresh_home, write_result

URL = os.environ.get("URL", "").rstrip("/")
KEY = os.environ.get("KEY", "")
USERS = int(os.environ.get("USERS", "64"))
SECONDS = float(os.environ.get("SECONDS", "60"))
TOKENS = int(os.environ.get("TOKENS", "128"))
ROUNDS = int(os.environ.get("ROUNDS", "2"))
ADAPTER = os.environ.get("ADAPTER", "")
PROMPT_WORDS = 150
CALL_SECONDS = 600.0
WORDS = (
    "river",
    "stone",
    "market",
    "paper",
    "engine",
    "winter",
    "garden",
    "letter",
    "bridge",
    "copper",
    "signal",
    "forest",
)


@dataclass(frozen=True)
class Door:
    """Where users ask, the model's name there, and their key."""

    url: str
    model: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """How a caller is known there."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


@dataclass
class Seen:
    """What all users of a door saw: milliseconds, output tokens, and how calls failed."""

    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    tokens: int = 0
    calls: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0


def main() -> int:
    """Measure, print, keep; 1 where a call through the gateway failed that did not fail directly."""
    if not URL:
        print("Say which vLLM: make bench-vllm URL=http://host:8000")
        return 2
    try:
        served, context = asyncio.run(_served())
    except aiohttp.ClientError as error:
        print(f"{URL} does not answer as vLLM: {error}")
        return 2
    direct = Door(URL, served, KEY)
    with tempfile.TemporaryDirectory(prefix="bench-vllm-") as name:
        os.environ["INFERENCE_MODELS_FILE"] = str(_models_file(Path(name), served, context))
        os.environ["BENCH_VLLM_KEY"] = KEY or "none"
        with fresh_home() as home:
            doors = {"vLLM alone": direct, "through": Door(home.base_url, "served", home.key)}
            seen = asyncio.run(_measure(doors))
    show(seen)
    write_result("vllm", {"users": USERS, "model": served, **{door: told(one) for door, one in seen.items()}})
    return 1 if len(seen["through"].failures) > len(seen["vLLM alone"].failures) else 0


async def _served() -> tuple[str, int]:
    """The name and the context length of the server's model."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{URL}/v1/models", headers=Door(URL, "", KEY).headers) as answer,
    ):
        answer.raise_for_status()
        listed = (await answer.json())["data"]
    chosen = next((model for model in listed if model["id"] == os.environ.get("MODEL")), listed[0])
    return chosen["id"], chosen.get("max_model_len") or 4096


def _models_file(folder: Path, served: str, context: int) -> Path:
    """The packaged embedding model, and the server as the default chat model, with a queue that holds all users."""
    packaged = yaml.safe_load(Path("deploy/config/models.yaml").read_text())["models"]
    source = {"base_url": f"{URL}/v1", "upstream_model": served, "api_key_env": "BENCH_VLLM_KEY"}
    entry = {"name": "served", "kind": "chat", "engine": "openai", "context_length": context, "default": True}
    entry |= {"source": source, "queue": {"at_once": 2 * USERS, "waiting": USERS}}
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump({"models": [*(one for one in packaged if one["kind"] == "embedding"), entry]}))
    return file


async def _measure(doors: dict[str, Door]) -> dict[str, Seen]:
    seen = {name: Seen() for name in doors}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=CALL_SECONDS)) as session:
        for door in doors.values():
            await _ask(session, door, Seen(), random.Random(0))
        for turn in range(ROUNDS):
            for name, door in doors.items():
                adding = ADAPTER and name == "through" and turn == ROUNDS - 1
                users = _users(session, door, seen[name], turn)
                await asyncio.gather(users, *([_add_adapter(session, doors["vLLM alone"])] if adding else []))
    return seen


async def _users(session: aiohttp.ClientSession, door: Door, seen: Seen, turn: int) -> None:
    began = time.perf_counter()

    async def user(number: int) -> None:
        words = random.Random(f"{door.url} {turn} {number}")
        while time.perf_counter() - began < SECONDS:
            await _ask(session, door, seen, words)

    await asyncio.gather(*(user(number) for number in range(USERS)))
    seen.seconds += time.perf_counter() - began


async def _ask(session: aiohttp.ClientSession, door: Door, seen: Seen, words: random.Random) -> None:
    """One streamed answer, into `seen`."""
    text = " ".join(words.choices(WORDS, k=PROMPT_WORDS))
    body = {
        "model": door.model,
        "messages": [{"role": "user", "content": f"Go on writing: {text}"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": TOKENS,
        "temperature": 1.0,
    }
    seen.calls += 1
    began, arrivals, ended = time.perf_counter(), list[float](), False
    try:
        async with session.post(f"{door.url}/v1/chat/completions", json=body, headers=door.headers) as answer:
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {(await answer.text())[:200]}")
            async for line in answer.content:
                if not line.startswith(b"data: "):
                    continue
                if line.strip() == b"data: [DONE]":
                    ended = True
                    continue
                event = json.loads(line[6:])
                if any(choice.get("delta", {}).get("content") for choice in event.get("choices", ())):
                    arrivals.append(time.perf_counter())
                seen.tokens += (event.get("usage") or {}).get("completion_tokens", 0)
        if not ended:
            raise RuntimeError("the stream ended without [DONE]")
    except (aiohttp.ClientError, RuntimeError, TimeoutError, ValueError) as error:
        seen.failures.append(str(error) or type(error).__name__)
        return
    if arrivals:
        seen.first.append((arrivals[0] - began) * 1e3)
        seen.gaps += [(later - earlier) * 1e3 for earlier, later in pairwise(arrivals)]


async def _add_adapter(session: aiohttp.ClientSession, door: Door) -> None:
    """Load it while the others are answered, and ask it."""
    await asyncio.sleep(SECONDS / 2)
    name, _, path = ADAPTER.partition("=")
    loading = {"lora_name": name, "lora_path": path}
    async with session.post(f"{door.url}/v1/load_lora_adapter", json=loading, headers=door.headers) as answer:
        print(f"adapter {name}: {answer.status} {(await answer.text())[:200]}")
    asked = Seen()
    await _ask(session, Door(door.url, name, door.key), asked, random.Random(1))
    print(f"adapter {name} answered: {asked.tokens} tokens {asked.failures or ''}")


def told(seen: Seen) -> dict[str, Any]:
    """The figures of a door."""
    return {
        "tokens_per_second": seen.tokens / seen.seconds,
        "first_token_ms": {"p50": quantile(seen.first, 0.5), "p99": quantile(seen.first, 0.99)},
        "gap_ms": {"mean": statistics.mean(seen.gaps or [0.0]), "p99": quantile(seen.gaps, 0.99)},
        "calls": seen.calls,
        "failed": len(seen.failures),
    }


def show(seen: dict[str, Seen]) -> None:
    """The table."""
    rows = {door: told(one) for door, one in seen.items()}
    print(f"\n{f'{USERS} users, answers of {TOKENS} tokens':<36}" + "".join(f"{door:>14}" for door in rows))
    lines = {
        "output tokens a second": [row["tokens_per_second"] for row in rows.values()],
        "first token, ms p50": [row["first_token_ms"]["p50"] for row in rows.values()],
        "first token, ms p99": [row["first_token_ms"]["p99"] for row in rows.values()],
        "between tokens, ms mean": [row["gap_ms"]["mean"] for row in rows.values()],
        "between tokens, ms p99": [row["gap_ms"]["p99"] for row in rows.values()],
        "calls": [row["calls"] for row in rows.values()],
        "failed": [row["failed"] for row in rows.values()],
    }
    for label, values in lines.items():
        print(f"{label:<36}" + "".join(f"{value:>14.1f}" for value in values))
    alone, through = (row["tokens_per_second"] for row in rows.values())
    print(f"through gateway and inference: {through / alone:.2f} of vLLM alone")
    for failure in seen["through"].failures[:5]:
        print(f"  failed: {failure}")


if __name__ == "__main__":
    raise SystemExit(main())
