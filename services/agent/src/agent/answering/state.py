"""What flows through the answer graph: its context, its state, and the events that it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TypedDict

from agent.answering.deciding import Deciding
from agent.answering.receipt import ReceiptBuilder
from agent.ports import Library, Models, Reader, Search, Vector
from agent.prompts.packaged import AsShipped, PromptSource
from agent.prompts.prompt import Prompt
from agent.questions.conversation import Conversation
from agent.questions.kind import Kind
from agent.questions.language import Spoken, language_of, may_be_in
from agent.relevance.evidence import Evidence
from agent.relevance.lexicon import Lexicon
from agent.relevance.tables import Columns
from agent.settings import AgentSettings
from contracts.core.abstention import Abstain
from contracts.models.catalog import InputType, ModelInfo
from contracts.models.chat import AnswerReport, ChatUsage, Grounding
from contracts.models.citations import Annotation
from contracts.retrieval.search import Hit, SearchReply


@dataclass(frozen=True, slots=True)
class Begun:
    """Nothing of the answer yet, but from here on an error ends a stream instead of a call."""

    hits: Sequence[Hit] = ()
    """What it is going to be made from."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next characters of the answer; on the last piece, the citations of the whole."""

    text: str
    annotations: list[Annotation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Finished:
    """The end: what kind of answer it was, and what it took."""

    report: AnswerReport
    usage: ChatUsage


Event = Begun | Piece | Finished


READ_BY_DEFAULT: Spoken = "en"
"""What the packaged model that compares texts reads."""


@dataclass(slots=True)
class Comparison:
    """By which embedding model one answer compares texts: the usual one, or the one that its sources were found by."""

    model: str | None = None
    """None: the usual one."""
    unrelated: float = 0.0
    """The cosine that it gives texts which have nothing to do with each other."""
    _searched: str | None = None
    _unrelated: float = 0.0

    def note(self, reply: SearchReply) -> None:
        """The one by which sources were found, if it is one; a search by words alone says nothing of it."""
        if reply.usage.embeddings:
            self._searched, self._unrelated = reply.usage.embedding_model, reply.unrelated_cosine

    def choose(self, question: str, source: str) -> None:
        """Take that one where the question, or the best source, is in a language that the usual one does not read, and
        it is known from where on its cosines mean something."""
        usual = may_be_in(question, (READ_BY_DEFAULT,)) and language_of(source) == READ_BY_DEFAULT
        own = self._searched is not None and self._unrelated > 0 and not usual
        self.model, self.unrelated = (self._searched, self._unrelated) if own else (None, 0.0)

    @property
    def by_words(self) -> bool:
        """Whether single words are compared, too, which cosines of another model do not tell."""
        return self.model is None


@dataclass(frozen=True)
class Context:
    """What the nodes of one run share."""

    search: Search
    models: Models
    library: Library
    model: Awaitable[ModelInfo | None]
    """The model that will be asked; looked up while the sources are searched. None if there is none of that name."""
    settings: AgentSettings
    token: str
    receipt: ReceiptBuilder
    send: Callable[[Event], None]
    closing: AsyncExitStack
    """Closed when the run ends, however it ends: a model call still under way is ended with it."""
    lexicon: Lexicon
    """Vectors of words, shared by all answers."""
    texts: Lexicon
    """Vectors of the passages that were compared last, shared likewise: the next question often finds the same ones."""
    deadline: float
    """On the event loop's clock."""
    prompts: PromptSource = field(default_factory=AsShipped)
    comparison: Comparison = field(default_factory=Comparison)
    deciding: Deciding = field(default_factory=Deciding)
    columns: dict[str, Columns] = field(default_factory=dict)
    """By chunk, the column names of the table that it begins in the middle of; found for one answer."""
    tenant: str = ""
    reader: Reader | None = None
    """Asked whether passages answer and spans support; None where there is none."""
    max_tokens: int | None = None
    sampling: dict[str, object] = field(default_factory=dict)

    def remaining(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    async def prompt(self, file: str) -> Prompt:
        """What the tenant has in place of a prompt that ships."""
        return await self.prompts.in_use(self.tenant, file)

    async def vectors_of(self, texts: Sequence[str], words: Sequence[str] = ()) -> list[Vector]:
        """The vectors of the texts, each embedded once: the next sentence or question often needs the same.

        Unknown words are learned in the same call. Where the sources' own model compares, the first text is its query,
        and words are not learned. Raises what the model plane raises.
        """
        by = self.comparison.model
        if by is None:
            return await self._vectors(texts, words)
        first = await self._vectors(texts[:1], (), by, "query")
        return [*first, *await self._vectors(texts[1:], (), by, "passage")]

    async def _vectors(
        self, texts: Sequence[str], words: Sequence[str], by: str | None = None, kind: InputType | None = None
    ) -> list[Vector]:
        keys = [text if by is None else f"{by}\0{kind}\0{text}" for text in texts]
        found = self.texts.find(keys)
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if fresh or words:
            with self.receipt.model_call():
                embedded = await self.models.embed([*fresh.values(), *words], self.token, by, kind)
            self.receipt.tokens.embedding += embedded.tokens
            vectors = embedded.vectors
            self.texts.learn([*fresh], vectors[: len(fresh)])
            self.lexicon.learn(words, vectors[len(fresh) :])
            found.update(zip(fresh, vectors, strict=False))
        return [found[key] for key in keys]


@dataclass(frozen=True)
class Draft:
    """A model's answer that has begun: its text piece by piece, and how it is to be checked."""

    pieces: AsyncIterator[str]
    packaged: bool
    end: Callable[[], Awaitable[None]]
    """Ends the model's work for it, if it still does any."""


class AnswerState(TypedDict, total=False):
    """The state of the answer graph."""

    conversation: Conversation
    standalone: str
    kind: Kind | None
    """None for an ordinary question."""
    hits: list[Hit]
    evidence: Evidence
    abstain: bool
    """Whether rules and the reading model see no answer."""
    decides: Abstain
    """Who decides whether there is one."""
    model: ModelInfo | None
    grounding: Grounding
    draft: Draft | None
    """One that is given from the start is compared as it is: no model is asked."""
    given: Sequence[Hit]
    """Sources that whoever gives a draft has read besides."""
    report: AnswerReport


def is_refused(state: AnswerState) -> bool:
    """Whether there is no answer whatever a model would say: the one who decides sees none, or nothing was found."""
    return state["abstain"] and (state["decides"] == "reader" or (state["decides"] == "model" and not state["hits"]))
