"""What searches gain by a rerank model that learnt from questions about a set of pages, through the retriever's code.

Usage: make bench-tuned-rerank DATA=folder [SET=ohr_bench] [PART=manual/] [QUESTIONS=500] [OTHER=scifact] [OTHERS=150]
       [DOCUMENTS=0]

DATA       folder of sets, see benchmarks/retriever/retrieval_sets.py
SET, PART  a set of `retrieval/`, and the beginning of its documents' ids that are a collection
QUESTIONS  of the set's own, drawn by chance: half are learnt from, the other half judges, and the other way round
EMBEDDINGS_CACHE  as for bench-retrieval; readings are kept there, too
OTHER      a set that has nothing to do with it, OTHERS of its questions and so many of its DOCUMENTS (default: all),
           first those that answer: what is learnt should do no harm there

nDCG@10 of documents in hybrid search plain, reranked by the packaged reader as it is, and by what a tuning job of the
method `rerank` learns, with the paired tests; and the reranking's milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import statistics
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from benchmarks.home import write_result
from benchmarks.reading.models import open_reader
from benchmarks.retriever.embeddings import FOLDER, Engines, VectorCache, open_engines
from benchmarks.retriever.retrieval import COLLECTION, NDCG, counting, say
from benchmarks.retriever.retrieval_index import (
    TENANT,
    TOKEN,
    BenchRetriever,
    CutDocument,
    cut,
    open_retriever,
    texts_of,
)
from benchmarks.retriever.retrieval_sets import RetrievalSet, SetDocument, find_sets
from contracts.improvement.question_sets import QuestionRecord
from contracts.retrieval.collections import Chunking
from contracts.retrieval.search import SearchRequest
from groundwork.evaluation.measures import evaluate
from groundwork.evaluation.significance import compare
from inference.protocol.engines import FeatureReading
from lab.training.frozen.correction import CERTAIN, Correction, Read, chances_of, learn
from lab.tuning.methods.reading import STEPS
from lab.tuning.methods.rerank import AUTO_L2, RANKS
from retriever.models.protocol import Relevance

PLAIN, UNTUNED, TUNED = "plain", "reader", "tuned"


@dataclass
class ReaderReranker:
    """The retriever's `Reranker` by the reader in this process, as `correction` has it; each pair is read once, also by
    a run that was stopped and taken up again."""

    reader: FeatureReading
    known: VectorCache
    correction: Correction | None = None
    milliseconds: list[float] = field(default_factory=list)

    async def rows(self, query: str, texts: Sequence[str]) -> Any:
        """Of each pair the log odds, then the features."""
        names = {f"{query}\0{text}": text for text in texts}
        new = [names[name] for name in self.known.missing(names)]
        if new:
            began = time.perf_counter()
            found = await self.reader.read_features(query, new, "query")
            if len(new) == len(texts):
                self.milliseconds.append((time.perf_counter() - began) * 1000)
            chances = np.clip([one.answers or 0.0 for one in found.result.readings], CERTAIN, 1 - CERTAIN)
            rows = np.column_stack([np.log(chances / (1 - chances)), found.features])
            self.known.put([f"{query}\0{text}" for text in new], rows)
        found = self.known.get(list(names))
        return np.array([found[f"{query}\0{text}"] for text in texts])

    async def relevance(self, model: str, query: str, texts: Sequence[str], token: str) -> Relevance:
        """Chances, as inference gives them."""
        rows = await self.rows(query, texts)
        nothing = np.zeros(len(rows), dtype=np.int64)
        read = Read(rows[:, 0], rows[:, 1:], nothing.astype(bool), nothing)
        odds = read.odds if self.correction is None else self.correction.corrected(read)
        return Relevance(chances_of(odds).tolist(), 0)


async def learnt(retriever: BenchRetriever, reranker: ReaderReranker, train: Sequence[QuestionRecord]) -> Correction:
    """As a job learns it: from the passages that searches find."""
    parts: list[Any] = []
    answers: list[bool] = []
    numbers: list[int] = []
    for one in train:
        request = SearchRequest(collections=[COLLECTION], query=one.question or "", limit=RANKS.found, rerank=False)
        hits = (await retriever.parts.search.search(TENANT, request, TOKEN)).hits
        right = RANKS.answers(one, hits)
        if any(right):
            parts.append(await reranker.rows(one.question or "", [RANKS.text(hit) for hit in hits]))
            numbers += [len(parts) - 1] * len(hits)
            answers += right
    rows = np.concatenate(parts)
    return learn(Read(rows[:, 0], rows[:, 1:], np.array(answers), np.array(numbers)), AUTO_L2, STEPS)


async def measured(retriever: BenchRetriever, questions: Sequence[QuestionRecord], *, rerank: bool) -> dict[str, float]:
    """nDCG@10 by question."""
    rankings: dict[str, list[str]] = {}
    for number, one in enumerate(questions, start=1):
        reply = await retriever.search(COLLECTION, one.question or "", "hybrid", 10, rerank=rerank)
        if reply.degraded:
            raise SystemExit(f"degraded: {reply.degraded}. Set RETRIEVER_RERANK_MILLISECONDS=60000")
        rankings[one.id] = [hit.document_id for hit in reply.hits]
        counting("searching")(number, len(questions))
    return dict(evaluate({one.id: one.documents for one in questions}, rankings, 10, (10,))[NDCG])


def told(what: str, found: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Both comparisons, in a line each."""
    result: dict[str, Any] = {way: round(float(np.mean(list(one.values()))), 4) for way, one in found.items()}
    for before in (PLAIN, UNTUNED):
        one = compare(TUNED, before, NDCG, found[TUNED], found[before])
        words = f"{one.difference:+.4f} [{one.low:+.4f}, {one.high:+.4f}] p {one.p:.4f}"
        result[f"against {before}"] = words
        say(f"{what:<24} {before} {result[before]:.4f}, tuned {result[TUNED]:.4f}: {words}, {len(found[TUNED])}")
    return result


def asked_of(one: RetrievalSet, part: str, count: int) -> list[QuestionRecord]:
    """The set's questions about documents of that part, with their answers where it has any."""
    file, answers = one.folder / "qa.jsonl", dict[str, list[str]]()
    if file.is_file():
        answers = {row["_id"]: row["answers"] for row in map(json.loads, file.read_text("utf-8").splitlines())}
    found = [each for each in one.questions(0) if all(name.startswith(part) for name in each.relevant)]
    random.Random(1).shuffle(found)
    return [
        QuestionRecord(id=each.id, question=each.text, documents=dict(each.relevant), answers=answers.get(each.id, []))
        for each in found[:count]
    ]


async def filled(
    engines: Engines,
    retriever: BenchRetriever,
    every: Sequence[SetDocument],
    first: Collection[str] = (),
    most: int = 0,
) -> None:
    """A collection of documents, of `most` where that is not 0, those named `first` before the others."""
    chosen = sorted(every, key=lambda one: one.id not in first)[: most or len(every)]
    documents: list[CutDocument] = list(cut(chosen, engines.embedder, Chunking()))
    await engines.embedder.prepare(list(texts_of(documents)), counting("embedding"))
    await retriever.fill(COLLECTION, documents, Chunking(), counting("indexing"))


async def run(engines: Engines, reranker: ReaderReranker) -> None:
    """Measure, print, keep."""
    folder, part = Path(os.environ["DATA"]) / "retrieval", os.environ.get("PART", "manual/")
    (one,) = find_sets(folder, [os.environ.get("SET", "ohr_bench")])
    (other,) = find_sets(folder, [os.environ.get("OTHER", "scifact")])
    asked = asked_of(one, part, int(os.environ.get("QUESTIONS", "500")))
    half, result, corrections = len(asked) // 2, dict[str, Any](), list[Correction]()
    async with open_retriever(Engines(engines.embedder, reranker)) as retriever:  # type: ignore[arg-type]
        await filled(engines, retriever, [each for each in one.documents() if each.id.startswith(part)])
        for train, judge in ((asked[:half], asked[half:]), (asked[half:], asked[:half])):
            found = {PLAIN: await measured(retriever, judge, rerank=False)}
            reranker.correction = None
            found[UNTUNED] = await measured(retriever, judge, rerank=True)
            reranker.correction = await learnt(retriever, reranker, train)
            corrections.append(reranker.correction)
            found[TUNED] = await measured(retriever, judge, rerank=True)
            result[f"{one.name} {part}, half {len(corrections)}"] = told(f"{one.name} {part}", found)
        await retriever.drop(COLLECTION)
        if reranker.milliseconds:
            result["milliseconds"] = round(statistics.median(reranker.milliseconds))
        others = asked_of(other, "", int(os.environ.get("OTHERS", "150")))
        relevant = {name for each in others for name in each.documents}
        await filled(engines, retriever, list(other.documents()), relevant, int(os.environ.get("DOCUMENTS", "0")))
        plain = await measured(retriever, others, rerank=False)
        reranker.correction = None
        untuned = await measured(retriever, others, rerank=True)
        for number, reranker.correction in enumerate(corrections, start=1):
            found = {PLAIN: plain, UNTUNED: untuned, TUNED: await measured(retriever, others, rerank=True)}
            result[f"{other.name}, half {number}"] = told(other.name, found)
    print(json.dumps(result, indent=2))
    write_result("tuned_rerank", result)


async def main() -> None:
    """With the engines of inference in this process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    async with open_engines() as engines, open_reader("reader") as reader:
        engine = reader.served.ready()
        assert isinstance(engine, FeatureReading)
        known = VectorCache(FOLDER / "reader.sqlite")
        try:
            await run(engines, ReaderReranker(engine, known))
        finally:
            known.close()


if __name__ == "__main__":
    asyncio.run(main())
