"""A library of documents, a model and a reader that answer by a script, and a meter that says what it cost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from contracts.access.delegation import Spent
from contracts.core.pages import Page
from contracts.documents.documents import Document, DocumentChunk
from contracts.improvement.evaluations import EvaluationTarget
from contracts.improvement.question_generation import GeneratedQuestion, Generation, GenerationCreate
from contracts.improvement.question_sets import QuestionRecord
from contracts.retrieval.search import Hit, SearchOptions
from lab.dependencies import Dependencies
from lab.evaluations.measures import Said
from lab.evaluations.target import Answered
from lab.generation.jobs import GenerationJobs
from lab.generation.publication import Publication
from lab.questions.likeness import words_of
from lab.questions.repository import Viewer
from servicekit.core.errors import NotFound, ServiceError
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner
from servicekit.jobs.tables import JobOwner

ACME = Viewer("acme", "key_1")
OWNER = JobOwner("acme", "key_1", "req_1", "grant")
MADE = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = {
    "leave": (
        "# Leave\n\nFull-time employees receive 27 days of paid leave per calendar year. The Bergen office closes "
        "for the whole of August, as Anna Lund has decided.\n"
    ),
    "travel": "# Travel\n\nA single trip to the Tromso station must be approved by Ms Berg within 4 weeks.\n",
    "pumps": "# Pumps\n\nA technician from Hamar changes the oil of the Nordvik pump, which is done every 14 months.\n",
}


def document(name: str, revision: int = 1) -> Document:
    about = {"bytes": 9, "sha256": "0", "created_at": MADE, "updated_at": MADE, "media_type": "text/markdown"}
    return Document.model_validate(
        {"id": name, "collection": "handbook", "title": name, "source": name, "revision": revision, "status": "ready"}
        | about
    )


@dataclass
class Library:
    """Documents by their names, one chunk each; a search finds those that share most words with it."""

    texts: dict[str, str] = field(default_factory=lambda: dict(TEXTS))
    revisions: dict[str, int] = field(default_factory=dict)
    searched: list[tuple[str, str]] = field(default_factory=list)
    failing: ServiceError | None = None
    blind: bool = False
    read: list[str] = field(default_factory=list)
    before_chunks: Callable[[str], object] = lambda document_id: None
    after_chunks: Callable[[str], object] = lambda document_id: None
    after_search: Callable[[int], object] = lambda count: None

    async def list_documents(self, token: str, collection: str, cursor: str | None) -> Page[Document]:
        if collection != "handbook":
            raise NotFound(f"There is no collection '{collection}'.")
        names, at = sorted(self.texts), int(cursor or 0)
        page = [document(name, self.revisions.get(name, 1)) for name in names[at : at + 2]]
        return Page[Document](data=page, next_cursor=str(at + 2) if at + 2 < len(names) else None)

    async def embedded_by(self, token: str, collection: str, options: SearchOptions, request_id: str) -> str | None:
        return "words"

    async def list_chunks(
        self, token: str, collection: str, document_id: str, cursor: str | None
    ) -> Page[DocumentChunk]:
        self.read.append(document_id)
        self.before_chunks(document_id)
        text = self.texts[document_id]
        self.after_chunks(document_id)
        about = {"chunk_id": f"c_{document_id}", "ordinal": 0, "revision": self.revisions.get(document_id, 1)}
        chunk = DocumentChunk.model_validate({**about, "text": text, "start": 0, "end": len(text)})
        return Page[DocumentChunk](data=[chunk], next_cursor=None)

    async def find(self, token: str, collection: str, document_id: str) -> Document | None:
        return document(document_id, self.revisions.get(document_id, 1)) if document_id in self.texts else None

    async def search(self, token: str, collection: str, options: SearchOptions, request_id: str) -> Sequence[Hit]:
        if self.failing is not None:
            raise self.failing
        self.searched.append((options.query, request_id))
        self.after_search(len(self.searched))
        wanted = set(words_of(options.query))
        found = {name: len(wanted & set(words_of(text))) for name, text in self.texts.items()}
        ranked = sorted((name for name in found if found[name]), key=lambda name: -found[name])
        return [] if self.blind else [self._hit(name) for name in ranked[: options.limit]]

    def _hit(self, name: str) -> Hit:
        text = self.texts[name]
        about = {"collection": "handbook", "document_id": name, "revision": self.revisions.get(name, 1)}
        about |= {"chunk_id": f"c_{name}", "title": name, "source": name, "text": text, "start": 0, "end": len(text)}
        return Hit.model_validate({**about, "score": 1.0, "scores": {}})


def ask_well(fact: str) -> str:
    """A question that each of the facts answers."""
    for word, question in (
        ("Bergen", "When does the Bergen office close, as Anna Lund has decided?"),
        ("Tromso", "Within how many weeks does Ms Berg approve a trip to the Tromso station?"),
        ("Nordvik", "How often is the oil of the Nordvik pump changed?"),
        ("Full-time", "How much paid leave do full-time employees receive?"),
    ):
        if word in fact:
            return question
    return "What is this about?"


@dataclass
class Writer:
    """A model that asks by a script, and a reader that cites the document that shares most words with the question."""

    library: Library
    ask_for: Callable[[str], str | ServiceError | Answered] = ask_well
    read: Callable[[str], Answered | ServiceError | None] = lambda question: None
    asked: Counter[str] = field(default_factory=Counter)
    requests: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def ask(self, target: EvaluationTarget, question: QuestionRecord, token: str, request_id: str) -> Answered:
        self.requests.append(request_id)
        self.began.set()
        await self.open.wait()
        said: Any
        if target.model.startswith("rag:"):
            said = self.read(question.question or "") or await self._cited(token, question.question or "")
        else:
            fact = (question.turns or [])[-1].content.partition("Fact: ")[2].partition("\nAnswer")[0]
            self.asked[fact] += 1
            said = self.ask_for(fact)
        if isinstance(said, ServiceError):
            raise said
        return Answered(Said(said), 1.0) if isinstance(said, str) else said

    async def _cited(self, token: str, question: str) -> Answered:
        (hit, *_) = await self.library.search(token, "handbook", SearchOptions(query=question, limit=1), "inner")
        self.library.searched.pop()
        span = {"document_id": hit.document_id, "revision": hit.revision, "start": hit.start, "end": hit.end}
        return Answered(Said(hit.text, abstained=False), 1.0, citations=[{**span, "quote": hit.text}])


@dataclass
class Meter:
    """Each request has cost a thousandth of a dollar."""

    writer: Writer | None = None
    refused: ServiceError | None = None
    before_spent: Callable[[], Awaitable[None]] | None = None

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        if self.refused is not None:
            raise self.refused
        return f"token of {grant} for {call_id}"

    async def spent(self, grant: str, call_id: str, since: datetime) -> Spent:
        if self.before_spent is not None:
            await self.before_spent()
        count = len(self.writer.requests) if self.writer else 0
        tokens = {"prompt_tokens": 5 * count, "completion_tokens": 2 * count, "embedding_tokens": 0}
        return Spent.model_validate({**tokens, "model_calls": count, "cost_nano_usd": 1_000_000 * count})


@dataclass
class Bench:
    """A lab whose runs read a library and ask a script, worked on when told."""

    opened: Dependencies
    at_once: int = 2
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.library = Library()
        self.writer = Writer(self.library)
        self.meter = Meter(self.writer)
        publication = Publication(self.opened.question_sets, self.library)
        generations = replace(self.opened.generations, publication=publication, grants=self.meter)
        self.opened = replace(self.opened, generations=generations)

    async def start(self, name: str = "policies", **more: Any) -> str:
        wanted = GenerationCreate.model_validate({"collection": "handbook", "count": 4, "near_misses": 0, **more})
        return (await self.opened.generations.create(ACME, OWNER, name, wanted)).id

    async def work(self, owner: str = "worker") -> bool:
        generations = self.opened.generations
        publication, grants = generations.publication, generations.grants
        jobs = GenerationJobs(self.writer, self.library, grants, publication, self.at_once)
        queue = Queue(generations.store, jobs)
        job = await queue.claim(owner)
        if job is None:
            return False
        await Runner(queue).run(job, self.stopping)
        return True

    async def shown(self, run: str, name: str = "policies") -> Generation:
        return await self.opened.generations.get(ACME, name, run)

    async def items(self, run: str, state: str | None = None, name: str = "policies") -> list[GeneratedQuestion]:
        return (await self.opened.generations.list_items(ACME, name, run, state, 200, None)).data
