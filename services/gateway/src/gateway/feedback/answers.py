"""What feedback needs to know of an answer: a port, so that the store of records may be any."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from contracts.access.records import RecordedHit
from contracts.models.citations import Annotation


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """An answer that was kept, as its key's guardrails let it be kept."""

    id: str
    key_id: str
    messages: Sequence[Mapping[str, Any]]
    """The conversation that was sent: `role` and `content`, the question last."""
    answer: str
    created_at: datetime
    prompt_messages: Sequence[Mapping[str, Any]] = ()
    """What a prompt put before them; a model saw both."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """With which it was filled, as the caller gave them."""
    citations: Sequence[Annotation] = ()
    sources: frozenset[tuple[str, str]] = frozenset()
    """Collection and id of each document that was found for it."""
    passages: Sequence[RecordedHit] = ()
    """Of an agent's answer, which cites nothing by itself: what its tools found and read, as its record has it."""
    hits: Sequence[RecordedHit] = ()
    """Of any answer: the passages that it could draw on."""
    model: str | None = None
    """The name that was asked for."""
    prompt: str | None = None
    """Name and version of the prompt that it came from."""
    version: str = ""
    """What tells it from an answer of another version by the same name: of agent, prompt, model and its files."""
    collections: Sequence[str] = field(default_factory=tuple)
    abstained: bool = False
    has_words: bool = True
    """Whether question and answer are there, whole; else only what is counted by."""

    @property
    def question(self) -> str:
        """What the caller said last. Of a call that said nothing but variables, what its prompt made of them: the
        prompt's last message, if it is a user's."""
        said = next(reversed(user_texts(self.messages)), "")
        return said if said.strip() else next(iter(user_texts(self.prompt_messages[-1:])), said)

    @property
    def cited(self) -> Sequence[Annotation | RecordedHit]:
        """What feedback on a citation counts by."""
        return self.citations or self.passages


class AnswerSource(Protocol):
    """Where answers are kept."""

    async def get_answers(self, tenant: str, answer_ids: Sequence[str]) -> Mapping[str, RecordedAnswer]:
        """Those of the tenant's answers that are on record, by the ids that were asked for."""
        ...

    async def get_questions(self, tenant: str, answer_ids: Sequence[str], characters: int) -> Mapping[str, str]:
        """How the questions of those begin that are on record with their words."""
        ...


class MemoryAnswers:
    """An `AnswerSource` in memory; empty, it is the one of an installation that records nothing."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], RecordedAnswer] = {}

    def put(self, tenant: str, answer: RecordedAnswer) -> None:
        """Keep an answer."""
        self._answers[tenant, answer.id] = answer

    def delete(self, tenant: str, answer_id: str) -> None:
        """Keep it no longer."""
        self._answers.pop((tenant, answer_id), None)

    async def get_answers(self, tenant: str, answer_ids: Sequence[str]) -> Mapping[str, RecordedAnswer]:
        """Those of the tenant's answers that are on record."""
        found = {answer_id: self._answers.get((tenant, answer_id)) for answer_id in answer_ids}
        return {answer_id: answer for answer_id, answer in found.items() if answer is not None}

    async def get_questions(self, tenant: str, answer_ids: Sequence[str], characters: int) -> Mapping[str, str]:
        """How their questions begin."""
        found = await self.get_answers(tenant, answer_ids)
        return {answer_id: one.question[:characters] for answer_id, one in found.items() if one.question}


def user_texts(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the caller said, turn by turn; of a message in parts, the texts."""
    return [text_of(message.get("content")) for message in messages if message.get("role") == "user"]


def text_of(content: Any) -> str:
    """A message's content as one text."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def question_digest(text: str) -> str:
    """What tells questions apart: their words, however they are capitalised, spaced or end."""
    words = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return hashlib.sha256(words.rstrip(" ?!.").encode()).hexdigest()
