"""What the forms of the methods `rerank` and `reading` learn of the same questions: a correction, or with one matrices
beside the layers of the reader's encoder (`lora`).

Usage: make bench-tuned-lora DATA=folder [METHOD=rerank] [SET=ohr_bench] [PART=manual/] [QUESTIONS=300] [HALVES=1]

DATA, SET, PART    as of bench-tuned-rerank
METHOD             or `reading`
QUESTIONS          of the set's own, drawn by chance: half are learnt from, the other half judges
HALVES             2: and the other way round
EMBEDDINGS_CACHE   as for bench-tuned-rerank; what of the correction's readings is there takes no time

Jobs as the lab has them, over the chunks that ingest would cut, with the engines of inference in this process: what
each gains by its own verdict, `lora` against the correction by the paired test, the general questions, and seconds of a
core for reading and learning.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.home import write_result
from benchmarks.lab.tuned_reader import Words
from benchmarks.lab.tuned_rerank import asked_of
from benchmarks.reading.models import LocalReader, open_reader
from benchmarks.retriever.embeddings import FOLDER, CachedEmbedder, Engines, VectorCache, open_engines
from benchmarks.retriever.retrieval import COLLECTION, counting, say
from benchmarks.retriever.retrieval_index import TOKEN, CutDocument, cut, texts_of
from benchmarks.retriever.retrieval_sets import find_sets
from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import ModelInfo
from contracts.models.reading import PassageReading, ReadingReply, ReadingRequest, ReadingUsage
from contracts.retrieval.collections import Chunking
from contracts.retrieval.search import Hit, Scores, SearchOptions
from inference.catalog.model_folders import ModelSources
from inference.catalog.models_file import Model
from inference.serving.reading import read
from inference.tuned.encoder_files import EncoderFiles
from lab.evaluations.comparison import compare
from lab.training.frozen.correction import CERTAIN, chances_of
from lab.tuning.bases import Base, Bases
from lab.tuning.gates.general import packaged_questions
from lab.tuning.method import Figures, Trained, Work
from lab.tuning.methods.process import Limits
from lab.tuning.methods.reading import Reading
from lab.tuning.methods.rerank import Rerank
from lab.tuning.sources.passages import PassageSearch

THREADS = 2


class Library:
    """The lab's `Documents`, as far as a search goes: half by BM25, half by the embedding model's cosine."""

    def __init__(self, embedder: CachedEmbedder, documents: Sequence[CutDocument]) -> None:
        self._embedder = embedder
        self._chunks = [(each, chunk) for each in documents for chunk in each.chunks]
        self._texts = list(texts_of(documents))
        self._words, self._rows = Words(self._texts), np.zeros((0, 0))

    async def open(self) -> None:
        """Have the vectors of all chunks."""
        await self._embedder.prepare(self._texts, counting("embedding"))
        self._rows = np.array((await self._embedder.embed("", self._texts, "bulk", TOKEN)).vectors)

    async def search(self, token: str, collection: str, options: SearchOptions, request_id: str) -> Sequence[Hit]:
        """The best chunks."""
        vector = np.array((await self._embedder.embed("", [options.query or ""], "query", TOKEN)).vectors[0])
        by_words = self._words.scores(options.query or "")
        scores = (self._rows @ vector + by_words / max(float(by_words.max()), 1e-9)) / 2
        return [self._hit(int(at), float(scores[at])) for at in np.argsort(-scores, kind="stable")[: options.limit]]

    def _hit(self, at: int, score: float) -> Hit:
        document, chunk = self._chunks[at]
        return Hit(
            collection=COLLECTION, document_id=document.id, revision=1, chunk_id=str(at), title=document.facts.title,
            source=document.id, text=chunk.text, score=score, scores=Scores(), heading_path=chunk.heading_path,
            start=chunk.start, end=chunk.end,
        )  # fmt: skip


@dataclass
class Inference:
    """The lab's peer: the reader in this process, which reads each pair once."""

    reader: LocalReader
    known: VectorCache
    name: str = "inference"

    async def call(self, method: str, path: str, reply: object, **sent: Any) -> Any:
        """A model, or a reading."""
        if method == "GET":
            served = self.reader.served
            return ModelInfo(id=served.name, kind="reading", digest=served.version.digest)
        return await self._read(sent["body"])

    async def _read(self, request: ReadingRequest) -> ReadingReply:
        """Of each pair the log odds, then the features, as bench-tuned-rerank keeps them."""
        names = {f"{request.question}\0{text}": text for text in request.passages}
        if new := self.known.missing(names):
            asked = request.model_copy(update={"passages": [names[name] for name in new]})
            found = await read(self.reader.served, asked)
            chances = np.clip([one.answers or 0.0 for one in found.passages], CERTAIN, 1 - CERTAIN)
            seen = [np.frombuffer(base64.b64decode(one), "<f4") for one in found.features]
            self.known.put(new, np.column_stack([np.log(chances / (1 - chances)), np.array(seen)]))  # type: ignore[arg-type]
        found_rows = self.known.get(list(names))
        rows = [found_rows[f"{request.question}\0{text}"] for text in request.passages]
        passages = [PassageReading(answers=float(chances_of(np.array(row[0])))) for row in rows]
        features = [base64.b64encode(np.array(row[1:], dtype="<f4").tobytes()).decode() for row in rows]
        usage = ReadingUsage(prompt_tokens=0, total_tokens=0)
        return ReadingReply(model="reader", reads=["answers"], passages=passages, features=features, usage=usage)


@dataclass(frozen=True)
class LocalBases(Bases):
    """The reader's encoder, as inference gives it."""

    reader: LocalReader | None = None

    async def get(self, model: str, token: object, kind: str = "chat") -> Base:
        """By a file in the folder."""
        sources = ModelSources(None, allow_downloads=False)

        def locate(declared: Model) -> Path:
            return sources.folder(declared)

        assert self.reader is not None
        served = self.reader.served
        found = await EncoderFiles(self.folder, locate).of(served)  # type: ignore[arg-type]  # any engine will do
        return Base(found.path, served.tokenizer()[0], found.digest, model)


class Progress:
    """A job's `Report`, on stderr."""

    async def say(self, message: str) -> None:
        """In words."""
        say(message)

    async def based_on(self, model: str, digest: str | None) -> None:
        """There is one."""

    async def step(self, done: int, steps: int, tokens: int, figures: Figures) -> None:
        """Now and then."""
        if done % 20 == 0:
            say(f"{done} of {steps}, {tokens:,} tokens {dict(figures)}")

    async def read(self, tokens: int) -> None:
        """Nobody pays."""

    async def checkpoint(self, step: int, figures: Figures) -> None:
        """An epoch."""


async def token() -> str:
    """Nobody asks for it."""
    return TOKEN


def core_seconds() -> float:
    """Of this process and those that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


async def learnt(
    method: Reading, form: dict[str, Any], train: Sequence[QuestionRecord], judge: Sequence[QuestionRecord]
) -> tuple[Trained, float]:
    """By a job, and the seconds of a core that it took beside its searches."""
    own = {"collection": COLLECTION, "hyperparameters": form}
    wanted = {"model": "reader", "training_file": "set:q", "method": {"type": method.name, method.name: own}}
    settings = method.settings(FineTuningCreate.model_validate(wanted))
    with tempfile.TemporaryDirectory() as made:
        work = Work(
            "ftjob_1", "reader", 1, settings, train, judge, packaged_questions(), Path(made), None, token, Progress()
        )
        await PassageSearch(method.documents, COLLECTION, method.lookup).search(work)
        began = core_seconds()
        return await method.train(work), core_seconds() - began


def told(form: str, one: Trained, seconds: float) -> dict[str, Any]:
    """A job's figures, and its verdicts in words."""
    verdict, general = compare(one.measure, one.after, one.before), None
    if one.general_after:
        general = compare(one.general_measure, one.general_after, one.general_before)
    found = {
        "verdict": verdict and verdict.words,
        "general": general and general.words,
        "core_seconds": round(seconds),
        "tokens": one.tokens,
        "bytes": len(one.artifact),
        "figures": {name: round(value, 4) for name, value in one.figures.items()},
    }
    say(f"{form}: {json.dumps(found)}")
    return found


async def run(engines: Engines, reader: LocalReader) -> None:
    """Measure, print, keep."""
    (one,) = find_sets(Path(os.environ["DATA"]) / "retrieval", [os.environ.get("SET", "ohr_bench")])
    part, name = os.environ.get("PART", "manual/"), os.environ.get("METHOD", "rerank")
    asked = asked_of(one, part, int(os.environ.get("QUESTIONS", "300")))
    half, result = len(asked) // 2, dict[str, Any]()
    halves = [(asked[:half], asked[half:]), (asked[half:], asked[:half])][: int(os.environ.get("HALVES", "1"))]
    await reader.served.identify()
    with tempfile.TemporaryDirectory() as made:
        pages = [each for each in one.documents() if each.id.startswith(part)]
        library = Library(engines.embedder, list(cut(pages, engines.embedder, Chunking())))
        await library.open()
        parts: Any = (
            Inference(reader, VectorCache(FOLDER / "reader.sqlite")),
            library,
            Limits(THREADS, 10**9, 3600.0),
        )
        method = {"rerank": Rerank, "reading": Reading}[name](*parts, LocalBases(parts[0], Path(made), reader=reader))
        for number, (train, judge) in enumerate(halves, start=1):
            forms = {"correction": {}, "lora": json.loads(os.environ.get("LORA", "{}")) | {"form": "lora"}}
            found, after = dict[str, Any](), dict[str, Figures]()
            for form, given in forms.items():
                job, seconds = await learnt(method, given, train, judge)
                found[form], after[form] = told(form, job, seconds), job.after
            against = compare(method.measure, after["lora"], after["correction"])
            result[f"{name}, half {number}"] = {**found, "lora against correction": against and against.words}
            say(f"half {number}, lora against correction: {against and against.words}")
    print(json.dumps(result, indent=2))
    write_result(f"tuned_lora_{name}", result)


async def main() -> None:
    """With the engines of inference in this process."""
    async with open_engines() as engines, open_reader("reader") as reader:
        await run(engines, reader)


if __name__ == "__main__":
    asyncio.run(main())
