"""Search and models that follow a script: for tests, demonstrations and load runs without models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from agent.ports import Embedded, ModelAnswer, Vector
from agent.text.words import form_set
from contracts.core.abstention import Abstain
from contracts.models.catalog import InputType, ModelInfo
from contracts.models.chat import AssistantMessage, ChatCompletionChunk, ChatRequest, ChatUsage, ChunkChoice
from contracts.models.versions import ModelVersion
from contracts.retrieval.search import Hit, Scores, SearchReply, SearchRequest, SearchUsage
from servicekit.core.errors import ServiceError

DIMENSIONS = 256
PACKAGED = ModelInfo(id="scripted", kind="chat", default=True, packaged=True, context_length=2048)
CAPABLE = ModelInfo(id="scripted", kind="chat", default=True, packaged=False, context_length=32_768)


def hit(text: str, document_id: str = "doc", start: int = 0, rank: int = 0, **facts: object) -> Hit:
    """A hit whose span fits its text."""
    base = {
        "collection": "handbook",
        "document_id": document_id,
        "revision": 1,
        "chunk_id": f"{document_id}:{start}",
        "title": document_id,
        "source": f"{document_id}.md",
        "text": text,
        "score": 1.0 / (1 + rank),
        "scores": Scores(),
        "start": start,
        "end": start + len(text),
    }
    return Hit.model_validate({**base, **facts})


@dataclass
class ScriptedSearch:
    """Answers every search with the same hits, or fails; keeps the requests it got.

    Of what is asked it obeys the page, `group_by`, and conditions on `document_id`.
    """

    hits: Sequence[Hit] = ()
    degraded: Sequence[str] = ()
    failure: ServiceError | None = None
    reranked: int = 0
    """Tokens that each search says it reranked."""
    embedding_model: str | None = None
    unrelated_cosine: float = 0.0
    """The model that each search says it embedded by, and the cosine that this gives unrelated texts."""
    abstain: Abstain | None = None
    """What the collections say of who decides that there is no answer."""
    requests: list[SearchRequest] = field(default_factory=list)

    async def search(self, request: SearchRequest, token: str) -> SearchReply:
        """The scripted hits."""
        self.requests.append(request)
        if self.failure is not None:
            raise self.failure
        return SearchReply(
            hits=_wanted(self.hits, request),
            degraded=list(self.degraded),
            usage=SearchUsage(
                embedding_tokens=3,
                embedding_model=self.embedding_model,
                embeddings={self.embedding_model: 3} if self.embedding_model else {},
                rerank_tokens=self.reranked,
            ),
            abstain=self.abstain,
            unrelated_cosine=self.unrelated_cosine,
            collection_revision=1,
        )

    async def probe(self) -> None:
        """Raise the scripted failure."""
        if self.failure is not None:
            raise self.failure


def _wanted(hits: Sequence[Hit], request: SearchRequest) -> list[Hit]:
    named = [one.match for one in request.filter.must if one.key == "document_id"] if request.filter else []
    left = [
        hit
        for hit in hits
        if all(hit.document_id in (match if isinstance(match, list) else [match]) for match in named)
    ]
    if request.group_by == "document":
        left = list({(hit.collection, hit.document_id): hit for hit in reversed(left)}.values())[::-1]
    return left[request.offset : request.offset + request.limit]


def echo(text: str) -> Callable[[ChatRequest], list[str]]:
    """A script that says one text, word by word."""
    return lambda _: [part if at == 0 else f" {part}" for at, part in enumerate(text.split(" "))]


@dataclass
class ScriptedModels:
    """A model that says what its script makes of the request, and embeddings made of word stems.

    `failure` ends the draft after `fail_after` pieces; `never_ends` leaves it open for ever after the script.
    """

    script: Callable[[ChatRequest], list[str]] = field(default_factory=lambda: echo(""))
    info: ModelInfo | None = field(default_factory=lambda: PACKAGED)
    failure: ServiceError | None = None
    fail_after: int = 0
    embedding_failure: ServiceError | None = None
    never_ends: bool = False
    requests: list[ChatRequest] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    """The texts that it was asked to embed."""
    embedded_by: list[tuple[str | None, InputType | None]] = field(default_factory=list)
    """The model that was named in each of these calls, and what its texts are to it."""
    closed: int = 0
    """Drafts whose context was left."""
    version: ModelVersion = field(default_factory=ModelVersion)

    async def model(self, name: str | None, token: str) -> ModelInfo | None:
        """The scripted model, under its own name and as the default."""
        known = self.info is not None and name in (None, "default", self.info.id)
        return self.info if known else None

    async def embed(
        self, texts: Sequence[str], token: str, model: str | None = None, kind: InputType | None = None
    ) -> Embedded:
        """Hashed bags of word stems, of unit length."""
        if self.embedding_failure is not None:
            raise self.embedding_failure
        self.embedded.extend(texts)
        self.embedded_by.append((model, kind))
        return Embedded([bag_of_stems(text) for text in texts], sum(len(text.split()) for text in texts))

    @asynccontextmanager
    async def chat(self, request: ChatRequest, token: str) -> AsyncIterator[ModelAnswer]:
        """The script's pieces, then usage."""
        self.requests.append(request)
        if self.failure is not None and self.fail_after == 0:
            raise self.failure
        try:
            yield ModelAnswer(self._chunks(request), self.version)
        finally:
            self.closed += 1

    async def probe(self) -> None:
        """Raise the scripted failure."""
        if self.failure is not None:
            raise self.failure

    async def _chunks(self, request: ChatRequest) -> AsyncIterator[ChatCompletionChunk]:
        pieces = self.script(request)
        for at, piece in enumerate(pieces):
            if self.failure is not None and at >= self.fail_after:
                raise self.failure
            await asyncio.sleep(0)
            yield _chunk(request.model, choices=[ChunkChoice(delta=AssistantMessage(content=piece))])
        if self.never_ends:
            await asyncio.Event().wait()
        usage = ChatUsage(prompt_tokens=20, completion_tokens=len(pieces), total_tokens=20 + len(pieces))
        yield _chunk(request.model, choices=[], usage=usage)


def bag_of_stems(text: str) -> Vector:
    """A unit vector of a text's word stems."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    for form in form_set(text):
        vector[crc32(form.encode()) % DIMENSIONS] += 1.0
    length = float(np.linalg.norm(vector)) or 1.0
    return vector / np.float32(length)


def _chunk(model: str, choices: list[ChunkChoice], usage: ChatUsage | None = None) -> ChatCompletionChunk:
    return ChatCompletionChunk(id="scripted", created=0, model=model, choices=choices, usage=usage)
