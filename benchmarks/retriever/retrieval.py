"""How good is retrieval, set by set: hybrid, dense and sparse search through the retriever's own code.

Usage: make bench-retrieval [DATA=folder] [SETS=scifact,xquad_r/en] [QUERIES=n] [MAX_TOKENS=n] [MODEL=name]

DATA        folder of sets, see benchmarks/retriever/retrieval_sets.py (default: the sample handbook with its questions)
SETS        which of them, by name (default: all)
QUERIES     a sample, always the same, of at most so many questions a set (default: 1000; 0: all)
MODEL       the embedding model, by its name in the models file (default: the default one)
MAX_TOKENS  size of a chunk (default: as a collection without settings has it)
EMBEDDINGS_CACHE  folder where embeddings are kept; a run that was stopped goes on from them

The documents are cut by ingest's chunker, embedded by inference's engine and indexed in a retriever in this process;
each question is searched in each mode with `group_by: document`. `plain RRF` is what merging the two lists would
give: sum of 1 / (60 + rank), after Cormack, Clarke and Büttcher (SIGIR 2009).
"""

from __future__ import annotations

import asyncio
import logging
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import structlog

from benchmarks.home import RESULTS, write_result
from benchmarks.retriever import retrieval_plot
from benchmarks.retriever.embeddings import Engines, Progress, open_engines
from benchmarks.retriever.retrieval_index import BenchRetriever, cut, open_retriever, texts_of
from benchmarks.retriever.retrieval_sets import RetrievalSet, find_sets
from contracts.retrieval.collections import Chunking
from contracts.retrieval.search import SearchMode
from groundwork.evaluation.measures import RECIPROCAL_RANK, Values, evaluate, mean, ndcg, recall
from groundwork.evaluation.questions import Question
from groundwork.evaluation.significance import Comparison, compare

DEPTH = 100
NDCG = ndcg(10)
SHOWN = (NDCG, recall(10), recall(100), RECIPROCAL_RANK)
RRF = "plain RRF"
RRF_K = 60
ORDER = ("dense", "sparse", RRF, "hybrid", "hybrid + rerank")
COLLECTION = "bench"


@dataclass
class Ran:
    """One ranking of one set."""

    rankings: dict[str, list[str]] = field(default_factory=dict)
    milliseconds: list[float] = field(default_factory=list)
    degraded: int = 0


@dataclass
class SetResult:
    """What came of one set."""

    name: str
    documents: int
    chunks: int
    queries: int
    values: dict[str, Values]
    """By ranking, measure, question."""
    milliseconds: dict[str, float]
    comparison: Comparison
    """Hybrid against the better of dense and sparse, by nDCG@10."""

    def means(self, ranking: str) -> dict[str, float]:
        """The mean of each measure."""
        return {measure: round(mean(values), 4) for measure, values in self.values[ranking].items()}

    def as_json(self) -> dict[str, Any]:
        """All figures, each question's nDCG@10 included."""
        return {
            "documents": self.documents,
            "chunks": self.chunks,
            "queries": self.queries,
            "means": {ranking: self.means(ranking) for ranking in self.values},
            "milliseconds": self.milliseconds,
            "hybrid against the better single mode": asdict(self.comparison),
            "nDCG@10 by question": {
                ranking: {question: round(value, 4) for question, value in values[NDCG].items()}
                for ranking, values in self.values.items()
            },
        }


async def measure_set(retriever: BenchRetriever, one: RetrievalSet, at_most: int, chunking: Chunking) -> SetResult:
    """Index a set, search its questions, compute."""
    questions = one.questions(at_most)
    say(f"{one.name}: reading and cutting")
    documents = await asyncio.to_thread(lambda: list(cut(one.documents(), retriever.embedder, chunking)))
    await retriever.embedder.prepare(texts_of(documents), counting(f"{one.name}: embedding chunks"))
    await retriever.embedder.prepare(
        [question.text for question in questions], counting(f"{one.name}: queries"), "query"
    )
    await retriever.fill(COLLECTION, documents, chunking, counting(f"{one.name}: indexing documents"))
    try:
        asked: dict[str, Ran | None] = {
            mode: await search_all(retriever, one.name, questions, mode) for mode in get_args(SearchMode)
        }
        asked["hybrid + rerank"] = await search_all(retriever, one.name, questions, "hybrid", rerank=True)
    finally:
        await retriever.drop(COLLECTION)
    ran = {ranking: each for ranking, each in asked.items() if each is not None}
    return result(one.name, len(documents), sum(len(each.chunks) for each in documents), questions, ran)


async def search_all(
    retriever: BenchRetriever, name: str, questions: Sequence[Question], mode: SearchMode, *, rerank: bool = False
) -> Ran | None:
    """Every question in one mode, one after another; nothing if reranking was asked for and there is no reranker."""
    ran = Ran()
    progress = counting(f"{name}: searching, {mode}{' + rerank' if rerank else ''}")
    for number, question in enumerate(questions, start=1):
        began = time.perf_counter()
        reply = await retriever.search(COLLECTION, question.text, mode, DEPTH, rerank=rerank)
        ran.milliseconds.append((time.perf_counter() - began) * 1000)
        if rerank and "rerank_unavailable" in reply.degraded:
            return None
        ran.degraded += bool(reply.degraded)
        ran.rankings[question.id] = [hit.document_id for hit in reply.hits]
        progress(number, len(questions))
    if ran.degraded:
        say(f"{name}: {ran.degraded} of {len(questions)} searches in mode {mode} were degraded")
    return ran


def result(name: str, documents: int, chunks: int, questions: Sequence[Question], ran: dict[str, Ran]) -> SetResult:
    """The figures of a set."""
    judgements = {question.id: question.relevant for question in questions}
    rankings = {ranking: each.rankings for ranking, each in ran.items()}
    rankings[RRF] = {
        question.id: plain_rrf([ran["dense"].rankings[question.id], ran["sparse"].rankings[question.id]])
        for question in questions
    }
    values = {
        ranking: evaluate(judgements, rankings[ranking], 10, (10, 100)) for ranking in ORDER if ranking in rankings
    }
    single = max(("dense", "sparse"), key=lambda mode: mean(values[mode][NDCG]))
    return SetResult(
        name=name,
        documents=documents,
        chunks=chunks,
        queries=len(questions),
        values=values,
        milliseconds={ranking: round(statistics.median(each.milliseconds), 2) for ranking, each in ran.items()},
        comparison=compare("hybrid", single, NDCG, values["hybrid"][NDCG], values[single][NDCG]),
    )


def plain_rrf(lists: Sequence[Sequence[str]]) -> list[str]:
    """Reciprocal rank fusion of rankings of documents."""
    scores: dict[str, float] = {}
    for ranking in lists:
        for rank, document in enumerate(ranking, start=1):
            scores[document] = scores.get(document, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda document: (-scores[document], document))[:DEPTH]


def print_tables(results: Sequence[SetResult]) -> None:
    """Every ranking of every set, then whether hybrid pays."""
    width = max(len("set"), *(len(each.name) for each in results))
    print(f"\n{'set':<{width}} {'queries':>7} {'chunks':>7} {'ranking':<16}", *(f"{name:>10}" for name in SHOWN))
    for each in results:
        for number, ranking in enumerate(each.values):
            means = each.means(ranking)
            first = f"{each.name:<{width}} {each.queries:>7} {each.chunks:>7}" if number == 0 else " " * (width + 16)
            print(f"{first} {ranking:<16}", *(f"{means[name]:>10.4f}" for name in SHOWN))
    print(f"\n{'set':<{width}} {'hybrid minus the better single mode, nDCG@10':<48} {'95 % interval':<18} {'p':>7}")
    for each in results:
        found = each.comparison
        said = f"{found.difference:+.4f} against {found.second}, {found.wins} better {found.losses} worse"
        print(f"{each.name:<{width}} {said:<48} {f'{found.low:+.4f} … {found.high:+.4f}':<18} {found.p:>7.4f}")
    good = sum(each.comparison.difference >= 0 for each in results)
    print(f"hybrid is at least as good as the better single mode on {good} of {len(results)} sets")
    print("p: paired randomisation test, how often a difference as large comes about by chance")


def counting(what: str) -> Progress:
    """Says how far something is: in place on a terminal, else now and then."""
    said = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal said
        now, terminal = time.monotonic(), sys.stderr.isatty()
        if done == total or now - said > (0.2 if terminal else 20):
            said = now
            end = "\n" if done == total or not terminal else ""
            print(f"{chr(13) if terminal else ''}{what} {done} of {total}", end=end, file=sys.stderr, flush=True)

    return progress


def say(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)


def write(results: Sequence[SetResult], seconds: float) -> None:
    """Keep the figures, also those of a run that is still going on."""
    settings = {name: os.environ[name] for name in ("MODEL", "SETS", "QUERIES", "MAX_TOKENS") if os.environ.get(name)}
    sets = {each.name: each.as_json() for each in results}
    write_result("retrieval", {"settings": settings, "seconds": round(seconds, 1), "sets": sets})
    (RESULTS / "retrieval.svg").write_text(retrieval_plot.draw(results), encoding="utf-8")


async def run(engines: Engines, sets: Sequence[RetrievalSet]) -> list[SetResult]:
    """All sets, one after another in a retriever of their own each."""
    at_most = int(os.environ.get("QUERIES") or 1000)
    tokens = os.environ.get("MAX_TOKENS")
    chunking = Chunking(max_tokens=int(tokens)) if tokens else Chunking()
    results: list[SetResult] = []
    began = time.monotonic()
    for one in sets:
        async with open_retriever(engines) as retriever:
            results.append(await measure_set(retriever, one, at_most, chunking))
        write(results, time.monotonic() - began)
    return results


async def main() -> None:
    """Measure, print, keep."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = os.environ.get("DATA")
    only = [name.strip().strip("/") for name in os.environ.get("SETS", "").split(",") if name.strip()]
    sets = find_sets(Path(folder) if folder else None, only)
    async with open_engines() as engines:
        results = await run(engines, sets)
    print_tables(results)
    say(f"each question's figures and a plot are in {RESULTS}: retrieval.json, retrieval.svg")


if __name__ == "__main__":
    asyncio.run(main())
