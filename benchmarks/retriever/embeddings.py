"""Inference's own engines in this process; embeddings are kept on disk by the hash of the text, so that a run that was
stopped can be taken up again.

EMBEDDINGS_CACHE names the folder (default: `groundwork-embeddings` in the system's folder for temporary files). Each
model with its precision has a file of its own there; several runs may share it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from benchmarks.home import ROOT
from inference.bootstrap import open_dependencies
from inference.protocol.engines import EmbeddingEngine
from inference.serving.models import ServedModel, ServedModels
from inference.settings import InferenceSettings
from retriever.errors import EmbeddingModelUnknown
from retriever.models.protocol import EmbeddingModel, Embeddings, Priority, Relevance

FOLDER = Path(os.environ.get("EMBEDDINGS_CACHE") or Path(tempfile.gettempdir()) / "groundwork-embeddings")
AT_ONCE = 64
CALLS = 4
LOOKED_UP = 500
Progress = Callable[[int, int], None]
"""Called with how many are done, and of how many."""


class VectorCache:
    """Float32 vectors by text."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._sql = sqlite3.connect(file, timeout=60, isolation_level=None)
        self._sql.execute("PRAGMA journal_mode=WAL")
        self._sql.execute("PRAGMA synchronous=NORMAL")
        self._sql.execute("CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def get(self, texts: Sequence[str]) -> dict[str, list[float]]:
        """The vectors that are there."""
        names = {_hash(text): text for text in texts}
        found: dict[str, list[float]] = {}
        keys = list(names)
        for first in range(0, len(keys), LOOKED_UP):
            some = keys[first : first + LOOKED_UP]
            query = f"SELECT text, vector FROM vectors WHERE text IN ({','.join('?' * len(some))})"
            for key, vector in self._sql.execute(query, some):
                found[names[key]] = np.frombuffer(vector, np.float32).tolist()
        return found

    def missing(self, texts: Iterable[str]) -> list[str]:
        """Those texts, each once, that have no vector."""
        names = {_hash(text): text for text in texts}
        keys = list(names)
        for first in range(0, len(keys), LOOKED_UP):
            some = keys[first : first + LOOKED_UP]
            query = f"SELECT text FROM vectors WHERE text IN ({','.join('?' * len(some))})"
            for (key,) in self._sql.execute(query, some):
                del names[key]
        return list(names.values())

    def put(self, texts: Sequence[str], vectors: Sequence[Sequence[float]]) -> None:
        """Keep vectors."""
        rows = [
            (_hash(text), np.asarray(vector, np.float32).tobytes()) for text, vector in zip(texts, vectors, strict=True)
        ]
        self._sql.execute("BEGIN IMMEDIATE")
        self._sql.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        self._sql.execute("COMMIT")


class CachedEmbedder:
    """The retriever's `Embedder` over an engine of inference in this process.

    With `fresh_queries` a query is embedded each time, as in a service; for measuring time.
    """

    def __init__(self, served: ServedModel[EmbeddingEngine], cache: VectorCache) -> None:
        info = served.info()
        sizes = info.dimensions or 0, info.context_length or 0
        self.served = EmbeddingModel(info.id, *sizes, unrelated_cosine=info.unrelated_cosine)
        self.engine = served.ready()
        self._prefixes = served.prefixes
        self.tokenizer = served.tokenizer()[0]
        self.fresh_queries = False
        self._cache = cache

    async def get_model(self, name: str, token: str) -> EmbeddingModel:
        """The one model."""
        if name not in ("default", self.served.name):
            raise EmbeddingModelUnknown(name, [self.served.name])
        return self.served

    async def list_models(self, token: str) -> list[EmbeddingModel]:
        """The one model, whatever is asked for."""
        return [dataclasses.replace(self.served, is_default=True)]

    async def embed(self, model: str, texts: Sequence[str], priority: Priority, token: str) -> Embeddings:
        """From the cache where it can; tokens are not counted."""
        texts = self._read(texts, priority)
        if priority == "query" and self.fresh_queries:
            made = await self.engine.embed(texts, priority)
            return Embeddings([row.tolist() for row in np.asarray(made.vectors)], made.tokens)
        if missing := self._cache.missing(texts):
            await self._make(missing, priority)
        found = self._cache.get(texts)
        return Embeddings([found[text] for text in texts], 0)

    async def probe(self) -> None:
        """Raise unless the model answers."""
        await self.engine.probe()

    async def prepare(self, texts: Iterable[str], progress: Progress, priority: Priority = "bulk") -> None:
        """Embed what is not in the cache yet, texts of a length together; what is done is kept if this is stopped."""
        left = sorted(self._cache.missing(self._read(texts, priority)), key=len, reverse=True)
        parts = [left[first : first + AT_ONCE] for first in range(0, len(left), AT_ONCE)]
        slots, done = asyncio.Semaphore(CALLS), 0

        async def one(part: list[str]) -> None:
            nonlocal done
            async with slots:
                await self._make(part, "bulk")
            done += len(part)
            progress(done, len(left))

        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(one(part))

    def _read(self, texts: Iterable[str], priority: Priority) -> list[str]:
        """As the model reads them: queries may be told from passages by what is put before them."""
        prefix = self._prefixes.of("query" if priority == "query" else "passage")
        return [prefix + text for text in texts]

    async def _make(self, texts: Sequence[str], priority: Priority) -> None:
        made = await self.engine.embed(texts, priority)
        self._cache.put(texts, np.asarray(made.vectors))


class EngineReranker:
    """The retriever's `Reranker` over the rerankers of inference in this process."""

    def __init__(self, models: ServedModels) -> None:
        self._models = models

    async def relevance(self, model: str, query: str, texts: Sequence[str], token: str) -> Relevance:
        """A score a text; raises a `ServiceError` when there is no reranker."""
        ranked = await self._models.rerank(model).ready().rank(query, texts)
        return Relevance(list(ranked.scores), ranked.tokens)


@dataclass(frozen=True, slots=True)
class Engines:
    """What a retriever needs of inference."""

    embedder: CachedEmbedder
    reranker: EngineReranker


@asynccontextmanager
async def open_engines() -> AsyncIterator[Engines]:
    """Models of the models file (INFERENCE_MODELS_FILE), loaded in this process; no chat models. MODEL names the one of
    embeddings, the default one unless said."""
    with tempfile.TemporaryDirectory(prefix="groundwork-models-") as scratch:
        settings = InferenceSettings()
        declared = yaml.safe_load((ROOT / settings.models_file).read_text())
        declared["models"] = [model for model in declared["models"] if model["kind"] != "chat"]
        file = Path(scratch) / "models.yaml"
        file.write_text(yaml.safe_dump(declared))
        async with open_dependencies(settings.model_copy(update={"models_file": file})) as opened:
            await opened.models.loaded()
            served = opened.models.embedding(os.environ.get("MODEL") or "default")
            await served.load()
            probe = await served.ready().embed(["Which model is this, and how precise?"], "query")
            mark = hashlib.blake2b(np.asarray(probe.vectors).tobytes(), digest_size=6).hexdigest()
            cache = VectorCache(FOLDER / f"{served.name}-{mark}.sqlite")
            try:
                yield Engines(CachedEmbedder(served, cache), EngineReranker(opened.models))
            finally:
                cache.close()


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
