"""One question: asked of a model or made by rule, and kept only if a search and the reader find its passage again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from contracts.core.errors import ErrorBody
from contracts.improvement.evaluations import EvaluationTarget
from contracts.improvement.question_generation import GenerationCreate
from contracts.improvement.question_sets import QuestionRecord
from contracts.retrieval.search import Hit, SearchOptions
from lab.evaluations.documents import Documents
from lab.evaluations.target import GONE, LATER, Answered, Target
from lab.generation.filters import cleaned, refused, refused_of_model
from lab.generation.near_misses import stands_in, swaps_of
from lab.generation.passages import Passage
from lab.generation.prompt import PARAMETERS, turns_of
from lab.questions.likeness import Asked, Words, conversation_words, words_of
from servicekit.core.errors import PeerError, ServiceError

TRIES = 3
"""Of one call that fails, before its passage comes to nothing."""
PAUSE_SECONDS = 1.0
LOOKED_AT = 20
"""Chunks among which a word is looked for that no document may have: a search for the word alone."""
SPAN = ("document_id", "revision", "chunk_id", "title", "source", "start", "end", "text", "heading_path")
SHOWN_CHARS = 200
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a passage, or of a question that was to be missed."""

    content: Mapping[str, Any]
    made_by: str = "model"
    reason: str | None = None
    """Why it is not proposed."""
    refusal: ErrorBody | None = None
    """What the model said instead of a question."""

    @property
    def words(self) -> Words:
        """Of the question."""
        return asked_words(self.content.get("question") or "")


def asked_words(question: str) -> Words:
    """As sets compare questions."""
    return conversation_words([question])


class _Failed(Exception):
    """A call failed again and again, for this passage alone."""


@dataclass
class Maker:
    """Makes the questions of one run. `call` gives a token and a name for each call, under which it is charged."""

    wanted: GenerationCreate
    target: Target
    documents: Documents
    asked: Asked
    token: Callable[[], Awaitable[str]]
    name: Callable[[int, str], str]

    async def make(self, number: int, passage: Passage) -> Made:
        """A question that the passage answers, or the reason why there is none."""
        span = {name: passage[name] for name in SPAN}
        made = Made({"span": span}, reason="no_question")
        try:
            async for made_by, question, answers, refusal in self._offers(number, passage):
                content = {"question": question, "answers": answers, "span": span}
                reason, why = await self._judge(number, made_by, passage, question, answers)
                made = Made({**content, "why": why}, made_by, reason, refusal)
                if reason in (None, "asks_the_same"):
                    return made  # it is asked about: other words would ask it twice
        except _Failed:
            return Made({"span": span}, reason="call_failed")
        return made

    async def miss(self, number: int, like: int, content: Mapping[str, Any]) -> Made:
        """A question like one that was kept, which no document answers, or the reason why there is none."""
        reason = "nothing_to_swap"
        try:
            for at, swap in enumerate(swaps_of(content["question"], str(self.wanted.seed))):
                if self.asked.has(asked_words(swap.question)):
                    reason = "asks_the_same"
                    continue
                options = SearchOptions(query=swap.new, mode="sparse", limit=LOOKED_AT)
                hits = await self._search(options, self.name(number, f"look{at}"))
                if stands_in(swap.new, [f"{hit.title} {hit.source} {hit.text}" for hit in hits]):
                    reason = "in_the_documents"
                    continue
                why = f"'{swap.new}' stands in no document, in place of '{swap.old}' ({swap.kind})."
                about = {"question": swap.question, "why": why, "like": like, "span": content["span"]}
                return Made(about, "rule")
        except _Failed:
            reason = "call_failed"
        return Made({"like": like}, "rule", reason)

    async def _offers(
        self, number: int, passage: Passage
    ) -> AsyncIterator[tuple[str, str, list[str], ErrorBody | None]]:
        """By a rule where one fits, which is free and says what it means; else by the model."""
        by_rule = passage["by_rule"]
        if by_rule is not None:
            yield "rule", by_rule["question"], [by_rule["answer"]], None
        if passage["is_row"]:
            return  # cells without a sentence: models ask about the table
        place = [passage["title"], *passage["heading_path"]]
        turns = turns_of(place, passage["text"], passage["key"])
        record = QuestionRecord(id=str(number), turns=turns)
        target = EvaluationTarget(model=self.wanted.model, parameters=PARAMETERS)
        answer = await self._ask(target, record, self.name(number, "ask"))
        answers = [passage["key"] or passage["text"]]
        yield "model", cleaned(answer.said.text or ""), answers, answer.error

    async def _judge(
        self, number: int, made_by: str, passage: Passage, question: str, answers: Sequence[str]
    ) -> tuple[str | None, str]:
        """The reason against a question, or why it is kept."""
        around = " ".join([passage["title"], *passage["heading_path"], passage["around"]])
        answer = answers[0] if answers[0] != passage["text"] else None
        reason = refused(question, passage["text"], answer, around)
        if reason is None and made_by == "model":
            place = " ".join([passage["title"], *passage["heading_path"]])
            reason = refused_of_model(question, passage["text"], passage["key"], place, around)
        if reason is None and self.asked.has(asked_words(question)):
            reason = "asks_the_same"
        if reason is not None:
            return reason, ""
        options = SearchOptions(query=question, limit=self.wanted.within)
        hits = await self._search(options, self.name(number, f"search_{made_by}"))
        rank = next((at for at, hit in enumerate(hits, start=1) if _overlaps(passage, hit.model_dump())), None)
        if rank is None:
            return "not_found", ""
        return await self._read(number, made_by, passage, question, answer, rank)

    async def _read(
        self, number: int, made_by: str, passage: Passage, question: str, answer: str | None, rank: int
    ) -> tuple[str | None, str]:
        target = EvaluationTarget(model=f"rag:{self.wanted.collection}", parameters={"temperature": 0})
        record = QuestionRecord(id=str(number), question=question)
        said = await self._ask(target, record, self.name(number, f"read_{made_by}"))
        if said.error is not None or said.said.abstained:
            return "not_answered", ""
        if not any(_overlaps(passage, one) for one in said.citations):
            return "other_passage", ""
        read = " ".join([said.said.text or "", *(str(one.get("quote") or "") for one in said.citations)])
        if answer is not None and not set(words_of(answer)) <= set(words_of(read)):
            return "other_answer", ""
        text = " ".join((said.said.text or "").split())[:SHOWN_CHARS]
        return None, f"A search finds its passage at place {rank}, and the answer cites it: {text}"

    async def _ask(self, target: EvaluationTarget, record: QuestionRecord, name: str) -> Answered:
        return await self._tried(name, lambda token, called: self.target.ask(target, record, token, called))

    async def _search(self, options: SearchOptions, name: str) -> Sequence[Hit]:
        collection = self.wanted.collection
        return await self._tried(name, lambda token, called: self.documents.search(token, collection, options, called))

    async def _tried(self, name: str, call: Callable[[str, str], Awaitable[Result]]) -> Result:
        """What comes of a call; raises what holds for every other one, too: a limit, a key or a model that is gone."""
        for tried in range(1, TRIES + 1):
            try:
                return await call(await self.token(), f"{name}.{tried}")
            except ServiceError as error:
                if error.http_status in GONE or error.http_status in LATER:
                    raise
                if tried == TRIES or (isinstance(error, PeerError) and error.http_status < 500):
                    raise _Failed from error
            await asyncio.sleep(PAUSE_SECONDS * tried)
        raise AssertionError("the last try returns or raises")


def _overlaps(passage: Passage, found: Mapping[str, Any]) -> bool:
    """Whether what was found, or cited, is of the same document and has some of the passage's characters."""
    if found.get("document_id") != passage["document_id"] or found.get("revision") != passage["revision"]:
        return False
    start, end = found.get("start"), found.get("end")
    return isinstance(start, int) and isinstance(end, int) and start < passage["end"] and passage["start"] < end
