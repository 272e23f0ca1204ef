"""A collection of any size in a retriever's data folder, written in bulk as the product would have written it.

Vectors are made, not computed, since a model on two cores needs an hour for what this does in a minute: topics of
Zipf sizes in a space of low intrinsic dimension, as embeddings of text have. Texts draw their words from a Zipf
vocabulary and from their topic's own words, so that both lists of a search agree about as much as they do on prose.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from contracts.retrieval.chunks import ChunkInput, DocumentFacts
from contracts.retrieval.collections import CollectionCreate, VectorOptions
from retriever.bootstrap import MIGRATIONS
from retriever.catalog.collections import CollectionRepository, physical_name
from retriever.catalog.tables import documents
from retriever.models.protocol import EmbeddingModel
from retriever.stores.points import Point, RevisionKey, make_point
from retriever.stores.protocol import VectorStore
from servicekit.core.clock import SystemClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

DIMENSIONS = 384
PLAIN = VectorOptions()
MODEL = EmbeddingModel("bench", DIMENSIONS, 256)
TENANT = "bench"
CHUNKS_A_DOCUMENT = 20
BATCH = 2_000
_LATENT, _TOPICS, _WORDS, _TOPIC_WORDS = 64, 500, 40_000, 60
_WORDS_A_CHUNK, _WORDS_A_QUERY = 130, 7
_TEAMS = ("hr", "legal", "sales", "support", "research")


@dataclass(frozen=True)
class Question:
    """A query's text and its vector."""

    text: str
    vector: list[float]


class Corpus:
    """The same chunks and questions for the same seed, whatever the size."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        spectrum = np.arange(1, _LATENT + 1) ** -0.5
        self._spread = spectrum[:, None] * self._random.standard_normal((_LATENT, DIMENSIONS))
        self._topics = self._random.standard_normal((_TOPICS, _LATENT))
        self._topic_share = _zipf(_TOPICS, 0.7)
        self._words = np.array(_vocabulary(_WORDS, seed))
        self._word_share = _zipf(_WORDS, 1.07)
        self._topic_words = self._random.integers(200, _WORDS, (_TOPICS, _TOPIC_WORDS))

    def chunks(self, count: int) -> Iterator[tuple[str, list[float]]]:
        """Texts with their vectors."""
        for start in range(0, count, BATCH):
            topics = self._random.choice(_TOPICS, min(BATCH, count - start), p=self._topic_share)
            yield from zip(self._texts(topics, _WORDS_A_CHUNK), self._vectors(topics, 0.8).tolist(), strict=True)

    def questions(self, count: int) -> list[Question]:
        """Each about one topic, a little off any chunk."""
        topics = self._random.choice(_TOPICS, count, p=self._topic_share)
        pairs = zip(self._texts(topics, _WORDS_A_QUERY), self._vectors(topics, 0.7).tolist(), strict=True)
        return [Question(text, vector) for text, vector in pairs]

    def _texts(self, topics: np.ndarray, words: int) -> list[str]:
        lengths = self._random.poisson(words, len(topics)).clip(2)
        drawn = self._random.choice(_WORDS, (len(topics), int(lengths.max())), p=self._word_share)
        own = self._topic_words[topics[:, None], self._random.integers(0, _TOPIC_WORDS, drawn.shape)]
        chosen = self._words[np.where(self._random.random(drawn.shape) < 0.25, own, drawn)]
        return [" ".join(row[:length]) for row, length in zip(chosen, lengths, strict=True)]

    def _vectors(self, topics: np.ndarray, away: float) -> np.ndarray:
        latent = self._topics[topics] + away * self._random.standard_normal((len(topics), _LATENT))
        vectors = latent @ self._spread + 0.15 * self._random.standard_normal((len(topics), DIMENSIONS))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def build(
    data_dir: Path, store: VectorStore, name: str, chunks: int, seed: int = 1, options: VectorOptions = PLAIN
) -> tuple[str, list[Question]]:
    """Write a collection of so many chunks through `store`; its place in the store, and 1,000 questions about it."""
    database = Database.open(None, data_dir, "retriever")
    await migrate(database, MIGRATIONS)
    collection_id = f"col_{name}"
    generation = physical_name(collection_id, 1)
    await store.create_generation(generation, DIMENSIONS, options)
    wanted = CollectionCreate(name=name, vectors=options)
    await CollectionRepository(database, SystemClock()).create_collection(collection_id, TENANT, wanted, MODEL)
    corpus = Corpus(seed)
    numbered = enumerate(corpus.chunks(chunks))
    while batch := list(itertools.islice(numbered, BATCH)):
        points = await asyncio.to_thread(_points, collection_id, batch)
        await store.upsert_points(generation, points)
        async with database.write() as connection:
            await connection.execute(insert(documents), _rows(collection_id, points))
    await database.close()
    return generation, corpus.questions(1_000)


def _points(collection_id: str, batch: Sequence[tuple[int, tuple[str, list[float]]]]) -> list[Point]:
    points = []
    for number, (text, vector) in batch:
        document, ordinal = divmod(number, CHUNKS_A_DOCUMENT)
        key = RevisionKey(collection_id, f"document-{document:06d}", 1)
        start = ordinal * 1_000
        chunk = ChunkInput(
            ordinal=ordinal,
            text=text,
            start=start,
            end=start + len(text),
            page=1 + ordinal // 4,
            heading_path=[f"Chapter {ordinal // 5}", f"Section {ordinal}"],
            header=f"Document {document}\nChapter {ordinal // 5} > Section {ordinal}",
        )
        points.append(make_point(key, _facts(document), chunk, vector))
    return points


def _facts(document: int) -> DocumentFacts:
    metadata: dict[str, Any] = {"team": _TEAMS[document % len(_TEAMS)], "year": 2000 + document % 25}
    return DocumentFacts(
        title=f"Document {document}", source=f"files/{document}.pdf", media_type="application/pdf", metadata=metadata
    )


def _rows(collection_id: str, points: Sequence[Point]) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    for point in points:
        counts[point.payload["document_id"]] = counts.get(point.payload["document_id"], 0) + 1
    return [
        {
            "collection_id": collection_id,
            "document_id": document,
            "active": 1,
            "pending": None,
            "fence": 1,
            "chunks": count,
            "cleanup": False,
            "uncopied": False,
            "misses": 0,
            "facts": {},
            "updated_at": SystemClock().now(),
        }
        for document, count in counts.items()
    ]


def _zipf(size: int, exponent: float) -> np.ndarray:
    shares = np.arange(1, size + 1) ** -exponent
    return shares / shares.sum()


def _vocabulary(size: int, seed: int) -> list[str]:
    """Pronounceable words, the frequent ones shorter."""
    chosen = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < size:
        syllables = 1 + (len(words) > 60) + (len(words) > 3_000) + (chosen.random() < 0.3)
        words["".join(chosen.choice("bcdfghklmnprstvz") + chosen.choice("aeiou") for _ in range(syllables))] = None
    return list(words)


def save_questions(file: Path, questions: Sequence[Question]) -> None:
    """Keep questions for another process."""
    file.write_text(json.dumps([(each.text, each.vector) for each in questions]))


def load_questions(file: Path) -> list[Question]:
    """Questions that another process kept."""
    return [Question(text, vector) for text, vector in json.loads(file.read_text())]
