"""What people said, as lines that trainers and evaluations load: pairs, labelled answers, questions."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, select, tuple_

from contracts.access.feedback_labels import WRONG_SOURCE
from contracts.agents.prompts import PROMPT
from contracts.improvement.feedback import ExportFormat, ExportSplit
from gateway.feedback.answers import RecordedAnswer, question_digest, text_of, user_texts
from gateway.feedback.service import FeedbackService
from gateway.storage.tables import feedback
from servicekit.sql.database import Database, rows_of

ROWS = 500
MOST_ANSWERS = 100
"""Answers to one question that are looked at together; pairs are made within them."""
MOST_CORRECTIONS = 20
MOST_PAIRS = 50
"""Pairs of answers to one question where no person chose between the two."""
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


@dataclass(slots=True)
class RatedAnswer:
    """What people said of one answer; corrections and preferences in the order in which they came."""

    up: int = 0
    down: int = 0
    corrections: dict[str, None] = field(default_factory=dict)
    preferred_over: dict[str, set[str]] = field(default_factory=dict)
    """Answers against which it was chosen, with the keys that said so."""
    wrong: set[tuple[str, str]] = field(default_factory=set)
    """Sources that were said not to belong to the question."""

    @property
    def is_liked(self) -> bool:
        """Whether more people were content with it than not."""
        return self.up > self.down

    @property
    def is_disliked(self) -> bool:
        """Whether fewer were."""
        return self.up < self.down

    def add(self, row: RowMapping) -> None:
        """Count one person's feedback on the answer or a part of it."""
        if row["part"] == "answer":
            self.up += row["verdict"] == 1
            self.down += row["verdict"] == -1
            if row["correction"] is not None and len(self.corrections) < MOST_CORRECTIONS:
                self.corrections[row["correction"]] = None
            if row["preferred_over"] is not None and len(self.preferred_over) < MOST_CORRECTIONS:
                self.preferred_over.setdefault(row["preferred_over"], set()).add(row["key_id"])
        elif row["citation"] is not None and WRONG_SOURCE in row["labels"]:
            self.wrong.add((row["citation"]["collection"], row["citation"]["document_id"]))

    def keep_choices(self, found: Mapping[str, RecordedAnswer], limited: Set[str]) -> None:
        """Of a limited key's choices those between answers that it got itself: it knows of no others."""
        self.preferred_over = {
            other: by
            for other, by in self.preferred_over.items()
            if other in found and by - (limited - {found[other].key_id})
        }


@dataclass(frozen=True, slots=True)
class RatedQuestion:
    """One question, what people said of its answers, and those answers that are on record."""

    digest: str
    rated: Mapping[str, RatedAnswer]
    answers: Mapping[str, RecordedAnswer]

    def rated_answers(self) -> Iterator[tuple[RatedAnswer, RecordedAnswer]]:
        """Those that are on record, in the order of their ids."""
        for answer_id, rated in self.rated.items():
            if answer_id in self.answers:
                yield rated, self.answers[answer_id]


class FeedbackExport:
    """Exports a tenant's feedback. What is in memory is a page of rows and the answers to one question."""

    def __init__(self, database: Database, service: FeedbackService) -> None:
        self._database = database
        self._service = service

    async def lines(
        self, tenant: str, kind: ExportFormat, split: ExportSplit | None, test_percent: int
    ) -> AsyncIterator[bytes]:
        """JSON lines, by question. With a split, those of its questions alone: one is in the same split always."""
        await self._service.link(tenant)
        make = FORMATS[kind]
        async for question in self._questions(tenant):
            if split is not None and split_of(question.digest, test_percent) != split:
                continue
            kept = question if split is None else _without_leaks(question, split, test_percent)
            for line in make(kept):
                yield json.dumps(line, ensure_ascii=False).encode() + b"\n"

    async def _questions(self, tenant: str) -> AsyncIterator[RatedQuestion]:
        digest, rated = "", dict[str, RatedAnswer]()
        async for row in self._rows(tenant):
            is_new = row["answer_id"] not in rated
            if row["question"] != digest or (is_new and len(rated) >= MOST_ANSWERS):
                if rated:
                    yield await self._question(tenant, digest, rated)
                digest, rated = row["question"], {}
            rated.setdefault(row["answer_id"], RatedAnswer()).add(row)
        if rated:
            yield await self._question(tenant, digest, rated)

    async def _question(self, tenant: str, digest: str, rated: Mapping[str, RatedAnswer]) -> RatedQuestion:
        others = [other for one in rated.values() for other in one.preferred_over]
        ids = list(dict.fromkeys((*rated, *others)))
        found = await self._service.answers.get_answers(tenant, ids)
        choosers = {key_id for one in rated.values() for by in one.preferred_over.values() for key_id in by}
        limited = await self._service.limited_keys(choosers)
        for one in rated.values():
            one.keep_choices(found, limited)
        kept = {each: answer for each, answer in found.items() if says_what_was_asked(answer)}
        return RatedQuestion(digest, rated, kept)

    async def _rows(self, tenant: str) -> AsyncIterator[RowMapping]:
        """All that may be exported, by question and answer. Each page is a short read of its own: however slowly a
        caller reads, no transaction stays open."""
        place = (feedback.c.question, feedback.c.answer_id, feedback.c.id)
        query = select(feedback).where(feedback.c.tenant == tenant, feedback.c.question > "", ~feedback.c.withheld)
        after: tuple[str, str, str] | None = None
        while True:
            page = query if after is None else query.where(tuple_(*place) > tuple_(*after))
            rows = await self._database.read(rows_of(page.order_by(*place).limit(ROWS)))
            for row in rows:
                yield row
            if len(rows) < ROWS:
                return
            after = rows[-1]["question"], rows[-1]["answer_id"], rows[-1]["id"]


def says_what_was_asked(answer: RecordedAnswer) -> bool:
    """Whether what is on record is all that a model was asked in words. Records of `prompt:` models that an earlier
    release wrote have nothing of what the prompt said."""
    has_prompt = bool(answer.prompt_messages) or not _is_by_prompt(answer)
    return answer.has_words and has_prompt and bool(answer.question.strip())


def split_of(digest: str, test_percent: int) -> ExportSplit:
    """Where a question belongs, by its digest alone. What is in `test` with a smaller share is so with a larger one."""
    return "test" if int(digest[:8], 16) % 100 < test_percent else "train"


def preferences(question: RatedQuestion) -> Iterator[dict[str, Any]]:
    """Pairs for preference tuning, TRL's conversational form: a correction before its answer, an answer before what a
    person liked less (`preferred_over`), and what most liked before what most did not, each under the same prompt."""
    seen: set[tuple[str, str, str]] = set()
    for prompt, chosen, rejected in _pairs(question):
        same = json.dumps(prompt), chosen, rejected
        if chosen != rejected and same not in seen:
            seen.add(same)
            yield {"prompt": prompt, "chosen": _said(chosen), "rejected": _said(rejected)}


def labelled_answers(question: RatedQuestion) -> Iterator[dict[str, Any]]:
    """Answers that are good or not, TRL's form for KTO: by the majority of ratings, and corrections as good ones. An
    answer that as many liked as not is left out."""
    for rated, answer in question.rated_answers():
        prompt = prompt_of(answer)
        if prompt is None:
            continue
        if rated.is_liked or rated.is_disliked:
            yield {"prompt": prompt, "completion": _said(_without_marks(answer)), "label": rated.is_liked}
        for correction in rated.corrections:
            yield {"prompt": prompt, "completion": _said(correction), "label": True}


def question_items(question: RatedQuestion) -> Iterator[dict[str, Any]]:
    """The question with the answers that people gave or liked, as a question set has it, and the documents that liked
    answers cite: a wrong answer may be wrong because of what it cites. `answerable` is false where people liked that it
    was not answered. One without an answer is left out. Answers by a prompt with other variables answer something else;
    these are JSON in a text, since a loader wants one type."""
    alike: dict[str, list[tuple[RatedAnswer, RecordedAnswer]]] = {}
    for rated, answer in question.rated_answers():
        values = json.dumps(answer.variables, ensure_ascii=False, sort_keys=True) if answer.variables else ""
        alike.setdefault(values, []).append((rated, answer))
    for variables, found in alike.items():
        yield from _question_item(found, variables)


def _question_item(found: Sequence[tuple[RatedAnswer, RecordedAnswer]], variables: str) -> Iterator[dict[str, Any]]:
    answers: dict[str, None] = {}
    documents: dict[str, None] = {}
    negatives = dict.fromkeys(document for rated, _ in found for _, document in sorted(rated.wrong))
    for rated, answer in found:
        answers |= rated.corrections
        if rated.is_liked and not answer.abstained:
            answers[_without_marks(answer)] = None
        if rated.is_liked:
            documents |= dict.fromkeys(_documents_of(rated, answer))
    abstains = any(rated.is_liked and answer.abstained for rated, answer in found)
    collections = dict.fromkeys(name for _, answer in found for name in answer.collections)
    if not answers and not abstains:
        return
    yield {
        "question": found[0][1].question,
        "answers": list(answers),
        "documents": list(documents),
        "answerable": bool(answers),
        "metadata": {
            "collections": list(collections),
            "hard_negatives": list(negatives),
            "answer_ids": [answer.id for _, answer in found],
            **({"variables": variables} if variables else {}),
        },
    }


FORMATS = {"preference": preferences, "kto": labelled_answers, "questions": question_items}


def prompt_of(answer: RecordedAnswer) -> list[dict[str, str]] | None:
    """The conversation that the model saw, as a chat template reads it; null for one with calls of tools, for which no
    text stands."""
    messages = []
    for message in (*answer.prompt_messages, *answer.messages):
        role = ROLES.get(str(message.get("role")))
        if role is None or message.get("tool_calls"):
            return None
        messages.append({"role": role, "content": text_of(message.get("content"))})
    return messages


def _documents_of(rated: RatedAnswer, answer: RecordedAnswer) -> list[str]:
    """Those that hold the answer: what it cites. Of an agent's, which cites nothing, the one that its tools found or
    read, where nobody has to guess which that is."""
    places = dict.fromkeys((one.collection, one.document_id) for one in answer.cited)
    right = [document_id for collection, document_id in places if (collection, document_id) not in rated.wrong]
    return right if answer.citations or len(right) == 1 else []


def _without_leaks(question: RatedQuestion, split: ExportSplit, test_percent: int) -> RatedQuestion:
    """Without answers whose conversation began with a question of another split."""

    def stays(answer: RecordedAnswer) -> bool:
        earlier = user_texts(answer.messages)[:-1]
        return all(split_of(question_digest(text), test_percent) == split for text in earlier)

    kept = {answer_id: answer for answer_id, answer in question.answers.items() if stays(answer)}
    return RatedQuestion(question.digest, question.rated, kept)


def _pairs(question: RatedQuestion) -> Iterator[tuple[list[dict[str, str]], str, str]]:
    found = [(rated, answer, prompt_of(answer)) for rated, answer in question.rated_answers()]
    for rated, answer, prompt in found:
        if prompt is None:
            continue
        said = _without_marks(answer)
        yield from ((prompt, correction, said) for correction in rated.corrections)
        others = [question.answers[other] for other in rated.preferred_over if other in question.answers]
        same = (other for other in others if _frame(other) == _frame(answer) and prompt_of(other) == prompt)
        yield from ((prompt, said, _without_marks(other)) for other in same)
    yield from _compared(found)


def _compared(
    found: Sequence[tuple[RatedAnswer, RecordedAnswer, list[dict[str, str]] | None]],
) -> Iterator[tuple[list[dict[str, str]], str, str]]:
    count = 0
    for liked, good, prompt in found:
        for disliked, bad, other in found:
            is_same = prompt == other and _frame(good) == _frame(bad)
            if liked.is_liked and disliked.is_disliked and prompt is not None and is_same:
                yield prompt, _without_marks(good), _without_marks(bad)
                count += 1
                if count == MOST_PAIRS:
                    return


def _without_marks(answer: RecordedAnswer) -> str:
    """What an answer says without the marks of its citations, which mean nothing beside other sources."""
    marks = "|".join({re.escape(one.marker) for one in answer.citations if one.marker})
    return re.sub(rf"[ \t]*(?:{marks})", "", answer.answer).strip() if marks else answer.answer


def _is_by_prompt(answer: RecordedAnswer) -> bool:
    return (answer.model or "").startswith(PROMPT)


def _frame(answer: RecordedAnswer) -> str | None:
    """The version of the prompt in which a model saw the conversation, where the record has not all of that: of an
    answer from documents."""
    return None if _is_by_prompt(answer) else answer.prompt


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
