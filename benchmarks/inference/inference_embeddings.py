"""Embeddings: bulk beside a bare loop and beside `infinity-emb`, queries beside bulk, and memory over a soak."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.home import ROOT
from benchmarks.inference.embedding_load import Queries, bulk_rate, memory, query_times
from benchmarks.inference.embedding_servers import MODEL, CannotInstall, EmbeddingServer, inference, infinity

BATCHES = ("8", "16", "32", "64")
WORDS_LEAST, WORDS_MOST = 15, 130
SEED = 11
Figures = dict[str, Any]


def run(texts: int, rounds: int, minutes: float) -> Figures:
    """Measure. Rounds take turns between the bare loop and the servers, so what else runs meets all."""
    made = chunks(texts)
    bare: list[float] = []
    rates: dict[str, list[float]] = {}
    figures: Figures = {}
    for number in range(rounds):
        bare.append(bare_rate(made))
        for server in (inference, infinity):
            try:
                _measure(server, made, rates, figures, is_last=number == rounds - 1)
            except CannotInstall as why:
                figures["infinity-emb"] = f"could not be installed: {why}"
    figures["bare loop, best batch: texts a second"] = round(median(bare), 1)
    for name, values in rates.items():
        figures[f"{name}, bulk over HTTP: texts a second"] = round(median(values), 1)
        share = median(rate / alone for rate, alone in zip(values, bare, strict=True))
        figures[f"{name}: share of the bare loop"] = f"{share:.0%}"
    return {**figures, **soak(made, minutes)}


def chunks(count: int) -> list[str]:
    """Texts as long as chunks are, of the sample handbook's words."""
    words = " ".join(path.read_text() for path in sorted((ROOT / "examples" / "handbook").rglob("*.md"))).split()
    chance = random.Random(SEED)
    made = []
    for _ in range(count):
        length, start = chance.randint(WORDS_LEAST, WORDS_MOST), chance.randrange(len(words))
        made.append(" ".join((words[start:] + words)[:length]))
    return made


def bare_rate(texts: list[str]) -> float:
    """Texts a second of a bare loop with the best of some batch sizes, in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "texts.json"
        path.write_text(json.dumps(texts))
        command = [sys.executable, "-m", "benchmarks.inference.embedding_loop", str(path), *BATCHES]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def soak(texts: list[str], minutes: float) -> Figures:
    """Memory of our service under bulk and queries."""
    with inference() as server:
        resident, queries = asyncio.run(memory(server, texts, minutes))
    warm = resident[len(resident) // 4 :]
    return {
        f"soak of {minutes:g} min: resident after loading, MB": round(resident[0] / 1e6),
        "soak: resident after a quarter, at most, at the end, MB": [
            round(each / 1e6) for each in (warm[0], max(warm), warm[-1])
        ],
        "soak: calls that failed": queries.failed,
        "the model's file, MB": round((MODEL / "model.safetensors").stat().st_size / 1e6),
    }


def _measure(
    server: Callable[[], AbstractContextManager[EmbeddingServer]],
    texts: list[str],
    rates: dict[str, list[float]],
    figures: Figures,
    *,
    is_last: bool,
) -> None:
    with server() as running:
        rates.setdefault(running.name, []).append(asyncio.run(bulk_rate(running, texts)))
        if is_last:
            idle = asyncio.run(query_times(running, texts, beside_bulk=False))
            beside = asyncio.run(query_times(running, texts, beside_bulk=True))
            figures.update(_queries(running.name, idle, beside))


def _queries(name: str, idle: Queries, beside: Queries) -> Figures:
    return {
        f"{name}: a query alone, p50 · p95, ms": f"{idle.quantile(0.5):.1f} · {idle.quantile(0.95):.1f}",
        f"{name}: beside bulk, p50 · p95, ms": f"{beside.quantile(0.5):.1f} · {beside.quantile(0.95):.1f}",
        f"{name}: p95 beside bulk, times alone": round(beside.quantile(0.95) / idle.quantile(0.95), 1),
        f"{name}: calls that failed": idle.failed + beside.failed,
    }
