"""`make bench-second-hop [DATA=folder] [SETS=hotpotqa]`: are both documents that a question needs among ten hits?

Each question of the sets is searched as an answer searches it, through the retriever's own code: once, and with the
second search of `agent.answering.searching.second_hop`. Printed are the share of questions with all their documents
among the hits, the difference with its interval and p (paired), and the milliseconds that the second search adds. DATA
is the folder with the sets (`corpus.jsonl`, `queries.jsonl`, `qrels.tsv`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from agent.answering.searching.second_hop import joined, leads_to
from benchmarks.home import ROOT, write_result
from benchmarks.retriever.embeddings import Engines, open_engines
from benchmarks.retriever.retrieval import COLLECTION, counting
from benchmarks.retriever.retrieval_index import TENANT, TOKEN, BenchRetriever, cut, open_retriever, texts_of
from benchmarks.retriever.retrieval_sets import RetrievalSet, find_sets
from contracts.retrieval.collections import Chunking
from contracts.retrieval.search import Hit, SearchMode, SearchRequest
from groundwork.evaluation.significance import compare

DATA = Path(os.environ.get("DATA") or ROOT.parent / "shared" / "data" / "retrieval")
SETS = [name for name in os.environ.get("SETS", "hotpotqa").split(",") if name]
LIMITS = (8, 10)
Found = dict[str, float]


async def measure(retriever: BenchRetriever, one: RetrievalSet, limit: int) -> dict[str, object]:
    """One set with so many hits."""
    once: Found = {}
    twice: Found = {}
    added: list[float] = []
    for question in one.questions(0):
        first = await _search(retriever, question.text, "hybrid", limit)
        began = time.perf_counter()
        onward = leads_to(question.text, first[0])
        more = await _search(retriever, onward, "sparse", limit) if onward else []
        both = joined(first, more, limit) if onward else first
        added.append((time.perf_counter() - began) * 1000)
        wanted = set(question.relevant)
        once[question.id] = float(wanted <= {hit.document_id for hit in first})
        twice[question.id] = float(wanted <= {hit.document_id for hit in both})
    found = compare("with second hop", "one search", f"all in {limit}", twice, once)
    shares = statistics.mean(once.values()), statistics.mean(twice.values())
    print(
        f"{one.name}, all documents among {limit}: {shares[0]:.3f} by one search, {shares[1]:.3f} with a second "
        f"({found.difference:+.3f}, {found.low:+.3f} to {found.high:+.3f}, p {found.p:.4f}; {found.wins} more, "
        f"{found.losses} fewer of {len(once)}); it adds {statistics.median(added):.1f} ms, p95 {_p95(added):.1f}",
        flush=True,
    )
    return {"once": shares[0], "twice": shares[1], "p": found.p, "ms": statistics.median(added)}


async def _search(retriever: BenchRetriever, query: str, mode: SearchMode, limit: int) -> list[Hit]:
    request = SearchRequest(collections=[COLLECTION], query=query, mode=mode, limit=limit, rerank=False)
    return (await retriever.parts.search.search(TENANT, request, TOKEN)).hits


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


async def of_set(engines: Engines, one: RetrievalSet) -> dict[str, object]:
    """One set, in a retriever of its own."""
    chunking, questions = Chunking(), [question.text for question in one.questions(0)]
    async with open_retriever(engines) as retriever:
        documents = await asyncio.to_thread(lambda: list(cut(one.documents(), engines.embedder, chunking)))
        await retriever.embedder.prepare(texts_of(documents), counting(f"{one.name}: embedding chunks"))
        await retriever.embedder.prepare(questions, counting(f"{one.name}: queries"), "query")
        await retriever.fill(COLLECTION, documents, chunking, counting(f"{one.name}: indexing"))
        return {f"{one.name} {limit}": await measure(retriever, one, limit) for limit in LIMITS}


async def main() -> None:
    """Measure, print, keep."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    results: dict[str, object] = {}
    async with open_engines() as engines:
        for one in find_sets(DATA, SETS):
            results |= await of_set(engines, one)
    write_result("second_hop", results)


if __name__ == "__main__":
    asyncio.run(main())
