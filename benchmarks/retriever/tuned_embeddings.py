"""What search gains where questions learnt to find their documents, through the retriever's own code.

Usage: make bench-tuned-embeddings DATA=folder SET=ohr_bench [PART=manual/] [OTHER=scifact] [QUESTIONS=file] [SEEDS=2]

DATA       folder of sets, see benchmarks/retriever/retrieval_sets.py
SET, PART  the set, and the beginning of its documents' ids that are a collection (default: all of them)
OTHER      a set that has nothing to do with it: what is learnt should do no harm there
QUESTIONS  JSON lines {"question", "document"} to learn from, such as generated ones; all of the set's own questions
           judge then. Unsaid, half of the set's own are learnt, drawn by a seed, and the other half judges
SEEDS      draws of halves (default 2)
L2         how much is held back (default: as tuning jobs have it)
EMBEDDINGS_CACHE  as for bench-retrieval

nDCG@10 of documents in the modes dense and hybrid before and after, with the paired test of both.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import structlog

from benchmarks.home import write_result
from benchmarks.retriever.embeddings import CachedEmbedder, Engines, open_engines
from benchmarks.retriever.retrieval import COLLECTION, NDCG, counting, say, search_all
from benchmarks.retriever.retrieval_index import BenchRetriever, CutDocument, cut, open_retriever, texts_of
from benchmarks.retriever.retrieval_sets import RetrievalSet, find_sets
from contracts.retrieval.collections import Chunking
from contracts.retrieval.search import SearchMode
from groundwork.evaluation.measures import evaluate
from groundwork.evaluation.questions import Question, read_questions
from groundwork.evaluation.significance import compare
from lab.training.frozen.projection import RANK, Vectors, learn, moved, of_rank
from lab.tuning.methods.embedding import AUTO_L2, STEPS
from retriever.models.protocol import Embeddings, Priority

MODES: tuple[SearchMode, ...] = ("dense", "hybrid")
Values = dict[SearchMode, dict[str, float]]


class MovedEmbedder(CachedEmbedder):
    """Moves queries by what was learnt, once something is."""

    def __init__(self, inner: CachedEmbedder) -> None:
        self.__dict__.update(inner.__dict__)
        self.matrices: tuple[Vectors, Vectors] | None = None

    async def embed(self, model: str, texts: Sequence[str], priority: Priority, token: str) -> Embeddings:
        """As a projection of inference does it."""
        found = await super().embed(model, texts, priority, token)
        if priority != "query" or self.matrices is None:
            return found
        rows = moved(np.array(found.vectors, dtype=np.float32), *self.matrices)
        return Embeddings([row.tolist() for row in rows], found.tokens)


async def vectors_of(embedder: CachedEmbedder, texts: Sequence[str], priority: Priority) -> Vectors:
    """As they are before anything is learnt."""
    await embedder.prepare(texts, counting(f"embedding, {priority}"), priority)
    return np.array((await embedder.embed("default", texts, priority, "")).vectors, dtype=np.float32)


async def learnt(embedder: MovedEmbedder, documents: Sequence[CutDocument], train: Sequence[Question]) -> float:
    """Have queries moved by what these questions teach; the seconds that it took."""
    embedder.matrices = None
    chunks = await vectors_of(embedder, list(texts_of(documents)), "bulk")
    questions = await vectors_of(embedder, [one.text for one in train], "query")
    owned: dict[str, list[int]] = {}
    owners = [document.id for document in documents for _ in document.chunks]
    for number, owner in enumerate(owners):
        owned.setdefault(owner, []).append(number)
    answering = [[chunk for name in one.relevant for chunk in owned.get(name, ())] for one in train]
    began = time.perf_counter()
    weights = learn(questions, answering, chunks, float(os.environ.get("L2") or AUTO_L2), STEPS)
    embedder.matrices = of_rank(weights, RANK)
    return time.perf_counter() - began


async def measured(retriever: BenchRetriever, name: str, questions: Sequence[Question]) -> Values:
    """nDCG@10 by mode and question."""
    judged = {question.id: question.relevant for question in questions}
    found: Values = {}
    for mode in MODES:
        ran = await search_all(retriever, name, questions, mode)
        assert ran is not None
        found[mode] = dict(evaluate(judged, ran.rankings, 10, (10,))[NDCG])
    return found


def told(what: str, before: Values, after: Values, rows: list[dict[str, object]]) -> None:
    """A line for each mode."""
    for mode in MODES:
        one = compare("after", "before", NDCG, after[mode], before[mode])
        first = float(np.mean(list(before[mode].values())))
        rows.append({"what": what, "mode": mode, "before": first, "difference": one.difference, "p": one.p})
        interval = f"[{one.low:+.4f}, {one.high:+.4f}]"
        say(f"{what:<34} {mode:<7} {first:.4f} {one.difference:+.4f} {interval} p {one.p:.4f}, {len(after[mode])}")


def draws(one: RetrievalSet, part: str, seeds: int) -> list[tuple[str, list[Question], list[Question]]]:
    """What is learnt and what judges."""
    every = [each for each in one.questions(0) if all(name.startswith(part) for name in each.relevant)]
    if file := os.environ.get("QUESTIONS"):
        return [(Path(file).name, read_questions(Path(file)), every)]
    halves = []
    for seed in range(1, seeds + 1):
        mixed = random.Random(seed).sample(every, len(every))
        halves.append((f"half of {len(every)}, draw {seed}", mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]))
    return halves


async def run(engines: Engines) -> None:
    """Measure, print, keep."""
    folder, chunking, rows = Path(os.environ["DATA"]), Chunking(), []  # type: ignore[var-annotated]
    (one,), part = find_sets(folder, [os.environ["SET"]]), os.environ.get("PART") or ""
    others = find_sets(folder, [other]) if (other := os.environ.get("OTHER")) else []
    embedder = MovedEmbedder(engines.embedder)
    documents = list(cut((each for each in one.documents() if each.id.startswith(part)), embedder, chunking))
    teaching = draws(one, part, int(os.environ.get("SEEDS") or 2))
    kept = []
    async with open_retriever(Engines(embedder, engines.reranker)) as retriever:
        await vectors_of(embedder, list(texts_of(documents)), "bulk")
        await retriever.fill(COLLECTION, documents, chunking, counting("indexing"))
        for name, train, judge in teaching:
            embedder.matrices = None
            before = await measured(retriever, one.name, judge)
            seconds = await learnt(embedder, documents, train)
            kept.append((name, embedder.matrices))
            say(f"{len(train)} questions learnt in {seconds:.0f} s")
            told(name, before, await measured(retriever, one.name, judge), rows)
        await retriever.drop(COLLECTION)
        for each in others:
            await harm(retriever, embedder, each, kept, rows)
    write_result("tuned_embeddings", {"rows": rows})


async def harm(
    retriever: BenchRetriever,
    embedder: MovedEmbedder,
    other: RetrievalSet,
    kept: Sequence[tuple[str, tuple[Vectors, Vectors] | None]],
    rows: list[dict[str, object]],
) -> None:
    """What each does to another set's questions."""
    documents, questions = list(cut(other.documents(), embedder, Chunking())), other.questions(0)
    embedder.matrices = None
    await vectors_of(embedder, list(texts_of(documents)), "bulk")
    await retriever.fill(COLLECTION, documents, Chunking(), counting(f"{other.name}: indexing"))
    before = await measured(retriever, other.name, questions)
    for name, embedder.matrices in kept:
        told(f"{other.name}, {name}", before, await measured(retriever, other.name, questions), rows)
    await retriever.drop(COLLECTION)


async def main() -> None:
    """With the engines of inference in this process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    async with open_engines() as engines:
        await run(engines)


if __name__ == "__main__":
    asyncio.run(main())
