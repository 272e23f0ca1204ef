"""Beside LlamaIndex: the same documents, model, vectors and questions, both in memory and without HTTP.

Usage: make bench-retrieval-llamaindex [DATA=folder] [SETS=scifact] [QUERIES=n]

LlamaIndex is installed into a temporary environment, never into ours. It is set up as its documentation shows hybrid
search: the default splitter, a vector index in memory, BM25 with stemming, `QueryFusionRetriever` over both; every
fusion it has, and lists of 10 and 100. Questions go to both in turn, so that whatever else the machine does meets both
alike. Embedding a question is the same work for both and left out of the times, and shown apart.

Prints nDCG@10, milliseconds a search, and how both grow with the collection: a quarter, a half and all of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from benchmarks.home import ROOT, write_result
from benchmarks.retriever.embeddings import CachedEmbedder, Engines, open_engines
from benchmarks.retriever.retrieval import counting, say
from benchmarks.retriever.retrieval_index import BenchRetriever, CutDocument, cut, open_retriever, texts_of
from benchmarks.retriever.retrieval_sets import SEED, RetrievalSet, SetDocument, find_sets
from contracts.retrieval.collections import Chunking
from groundwork.evaluation.measures import evaluate, mean, ndcg, recall
from groundwork.evaluation.questions import Question
from groundwork.evaluation.significance import compare

PACKAGES = ("llama-index-core==0.14.25", "llama-index-retrievers-bm25==0.8.0")
PEERS = (("reciprocal_rerank", 10), ("reciprocal_rerank", 100), ("relative_score", 100), ("dist_based_score", 100))
TIMED = PEERS[1]
"""What the times of growing collections are taken of."""
OURS = "Groundwork hybrid"
SHARES = (0.25, 0.5, 1.0)
LIMIT = 10
TIMED_QUESTIONS = 100
WARM_UP = 5


class Peer:
    """The other program, asked over pipes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def call(self, do: str, **arguments: Any) -> dict[str, Any]:
        """One question, one answer; raises `SystemExit` if it died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            line = ""
        else:
            line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"LlamaIndex ended with {self._process.wait(10)}; the lines above say why.")
        return dict(json.loads(line))


@dataclass
class Timed:
    """One side's answers: documents and milliseconds by question."""

    rankings: dict[str, list[str]] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)

    def median(self) -> float:
        """Of a search, in milliseconds."""
        return statistics.median(self.milliseconds.values())


@dataclass(frozen=True)
class Share:
    """Some of the documents."""

    name: str
    ids: frozenset[str]


@dataclass(frozen=True)
class Sides:
    """Both, over the same documents."""

    retriever: BenchRetriever
    peer: Peer
    vectors: dict[str, list[float]]
    """Of the questions."""

    async def fill(self, share: Share, cut_documents: list[CutDocument], file: Path) -> None:
        """Index these documents on both sides, under the share's name."""
        self.peer.call("build", name=share.name, documents=sorted(share.ids), vectors=str(file))
        ours = [each for each in cut_documents if each.id in share.ids]
        await self.retriever.fill(share.name, ours, Chunking(), counting(f"indexing {len(ours)} documents"))

    async def ask(
        self, questions: Sequence[Question], shares: Sequence[Share], peers: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, str], Timed]:
        """Every question to both sides, of every share, each way, before the next question; by share and side."""
        sides: dict[tuple[str, str], Timed] = defaultdict(Timed)
        progress = counting("searching on both sides")
        rounds = [*questions[:WARM_UP], *questions]
        for number, question in enumerate(rounds, start=1):
            if number == WARM_UP + 1:
                sides.clear()
            for share in shares:
                await self._ours(share.name, question, sides[share.name, OURS])
                for each in peers:
                    self._theirs(share.name, question, each, sides[share.name, peer_name(*each)])
            progress(number, len(rounds))
        return sides

    async def _ours(self, name: str, question: Question, kept: Timed) -> None:
        began = time.perf_counter()
        reply = await self.retriever.search(name, question.text, "hybrid", LIMIT)
        took = (time.perf_counter() - began) * 1000
        kept.milliseconds[question.id] = took - reply.timings.get("embed", 0.0)
        kept.rankings[question.id] = [hit.document_id for hit in reply.hits]

    def _theirs(self, name: str, question: Question, how: tuple[str, int], kept: Timed) -> None:
        vector = self.vectors[question.text]
        answer = self.peer.call("search", name=name, query=question.text, vector=vector, mode=how[0], depth=how[1])
        kept.milliseconds[question.id] = answer["ms"]
        kept.rankings[question.id] = answer["documents"][:LIMIT]


def peer_name(mode: str, depth: int) -> str:
    """As tables call it."""
    return f"LlamaIndex {mode}, lists of {depth}"


@contextmanager
def open_peer() -> Iterator[Peer]:
    """LlamaIndex in a temporary environment."""
    uv = Path(sys.executable).parent / "uv"
    with tempfile.TemporaryDirectory(prefix="groundwork-llamaindex-") as folder:
        # Copies, since the NLTK that it uses opens no file that is linked to from elsewhere.
        say(f"installing {', '.join(PACKAGES)} into a temporary environment")
        python = Path(folder) / "bin" / "python"
        subprocess.run([uv, "venv", "--quiet", "--no-config", "--python", sys.executable, folder], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--no-config", "--link-mode", "copy", "--python", python, *PACKAGES],
            check=True,
        )
        command = [python, ROOT / "benchmarks" / "llamaindex_peer.py"]
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        )
        try:
            yield Peer(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


async def measure(one: RetrievalSet, engines: Engines, peer: Peer, folder: Path) -> dict[str, Any]:
    """Quality over all documents, times over shares of them."""
    embedder = engines.embedder
    documents = list(one.documents())
    questions = one.questions(int(os.environ.get("QUERIES") or 0))
    vectors = await _prepared(documents, questions, embedder, peer, folder)
    cut_documents = list(cut(documents, embedder, Chunking()))
    await embedder.prepare(texts_of(cut_documents), counting("embedding our chunks"))
    mixed = random.Random(SEED).sample([document.id for document in documents], len(documents))
    sizes = [max(1, round(len(mixed) * share)) for share in SHARES]
    shares = [Share(f"bench-{size}", frozenset(mixed[:size])) for size in sizes]
    async with open_retriever(engines) as retriever:
        both = Sides(retriever, peer, vectors)
        for share in shares:
            await both.fill(share, cut_documents, folder / "vectors.npy")
        growing = await both.ask(questions[:TIMED_QUESTIONS], shares, [TIMED])
        whole = await both.ask(questions, shares[-1:], PEERS)
    growth = {
        len(share.ids): {side: growing[share.name, side].median() for side in (OURS, peer_name(*TIMED))}
        for share in shares
    }
    return {
        **figures(questions, {side: timed for (_, side), timed in whole.items()}),
        "growth": growth,
        "embedding a question, ms": await _embedding(embedder, questions),
    }


async def _prepared(
    documents: Sequence[SetDocument],
    questions: Sequence[Question],
    embedder: CachedEmbedder,
    peer: Peer,
    folder: Path,
) -> dict[str, list[float]]:
    """Vectors of the peer's pieces in `vectors.npy`; returns those of the questions."""
    lines = [
        json.dumps(
            {"id": each.id, "text": f"{each.title}\n{each.extracted.text}" if each.title else each.extracted.text}
        )
        for each in documents
    ]
    (folder / "documents.jsonl").write_text("\n".join(lines), encoding="utf-8")
    texts = peer.call("split", file=str(folder / "documents.jsonl"))["texts"]
    await embedder.prepare(texts, counting("embedding LlamaIndex's pieces"))
    made = await embedder.embed(embedder.served.name, texts, "bulk", "")
    np.save(folder / "vectors.npy", np.array(made.vectors, np.float32))
    asked = [question.text for question in questions]
    return dict(zip(asked, (await embedder.embed(embedder.served.name, asked, "bulk", "")).vectors, strict=True))


async def _embedding(embedder: CachedEmbedder, questions: Sequence[Question]) -> float:
    """Median milliseconds of embedding a question, which both need as much."""
    embedder.fresh_queries = True
    took = []
    for question in questions[:TIMED_QUESTIONS]:
        began = time.perf_counter()
        await embedder.embed(embedder.served.name, [question.text], "query", "")
        took.append((time.perf_counter() - began) * 1000)
    embedder.fresh_queries = False
    return statistics.median(took)


def figures(questions: Sequence[Question], sides: dict[str, Timed]) -> dict[str, Any]:
    """Quality and time of each side, and ours against the peer's best."""
    judgements = {question.id: question.relevant for question in questions}
    values = {name: evaluate(judgements, side.rankings, LIMIT, (LIMIT,)) for name, side in sides.items()}
    best = max((name for name in sides if name != OURS), key=lambda name: mean(values[name][ndcg(LIMIT)]))
    return {
        "sides": {
            name: {
                **{measure: mean(by_question) for measure, by_question in values[name].items()},
                "ms": side.median(),
                "slowest of 20, ms": statistics.quantiles(side.milliseconds.values(), n=20)[-1],
            }
            for name, side in sides.items()
        },
        "against its best": asdict(
            compare(OURS, best, ndcg(LIMIT), values[OURS][ndcg(LIMIT)], values[best][ndcg(LIMIT)])
        ),
    }


def print_tables(name: str, found: dict[str, Any]) -> None:
    """Quality, the difference, and growth."""
    width = max(len(side) for side in found["sides"])
    print(f"\n{name:<{width}} {ndcg(LIMIT):>9} {recall(LIMIT):>10} {'ms':>8} {'p95 ms':>8} {'times ours':>11}")
    ours = found["sides"][OURS]["ms"]
    for side, figure in found["sides"].items():
        cells = f"{figure[ndcg(LIMIT)]:>9.4f} {figure[recall(LIMIT)]:>10.4f} {figure['ms']:>8.2f}"
        print(f"{side:<{width}} {cells} {figure['slowest of 20, ms']:>8.2f} {figure['ms'] / ours:>11.1f}")
    print(f"embedding a question: {found['embedding a question, ms']:.2f} ms more on either side")
    against = found["against its best"]
    print(
        f"\n{ndcg(LIMIT)} against {against['second']}: {against['difference']:+.4f} "
        f"({against['low']:+.4f} … {against['high']:+.4f}), p {against['p']:.4f}"
    )
    print(f"\n{'documents':>9} {'ours, ms':>9} {'LlamaIndex, ms':>15} {'times':>6}   ({peer_name(*TIMED)})")
    for documents, took in found["growth"].items():
        mine, theirs = took[OURS], took[peer_name(*TIMED)]
        print(f"{documents:>9} {mine:>9.2f} {theirs:>15.2f} {theirs / mine:>6.1f}")


async def main() -> None:
    """Measure, print, keep."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = os.environ.get("DATA")
    one = find_sets(Path(folder) if folder else None, [os.environ.get("SETS") or "scifact"])[0]
    with tempfile.TemporaryDirectory() as scratch, open_peer() as peer:
        async with open_engines() as engines:
            found = await measure(one, engines, peer, Path(scratch))
    print_tables(one.name, found)
    write_result("retrieval_llamaindex", {"set": one.name, "packages": PACKAGES, **found})


if __name__ == "__main__":
    asyncio.run(main())
