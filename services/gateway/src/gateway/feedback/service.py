"""What people say of answers: who may say and see what, and what is known of the answer meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping

from contracts.core.pages import Page
from contracts.improvement.feedback import Feedback, FeedbackCreate, FeedbackPart
from gateway.auth.keys import Principal
from gateway.auth.tenant_repository import TenantRepository
from gateway.feedback.answers import AnswerSource, RecordedAnswer, question_digest
from gateway.feedback.errors import (
    CitationMissing,
    FeedbackNotFound,
    FeedbackUnnamed,
    LabelUnknown,
    UserReserved,
    WholeTenantNeeded,
)
from gateway.feedback.repository import (
    NAMES,
    NOT_RECORDED,
    ROWS,
    VERDICTS,
    WHOLE,
    FeedbackFilter,
    FeedbackRepository,
    answers_of,
)
from gateway.metrics import FEEDBACK
from gateway.usage.bounded_labels import OTHER, BoundedLabels
from servicekit.core.clock import Clock
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database

REVIEW = "feedback:review"
MOST_SOURCES = 200
"""Documents of one answer that are noted, the first ones."""
QUESTION_CHARS = 200
"""Of a question in lists: its beginning."""
RECORDED_WITHIN = timedelta(minutes=1)
"""Records are written in groups, so that a rating may come before what it rates; not later than this."""


class FeedbackService:
    """Takes, lists and deletes what people say of a tenant's answers."""

    def __init__(
        self,
        database: Database,
        tenants: TenantRepository,
        answers: AnswerSource,
        clock: Clock,
        model_label: Callable[[str | None], str],
        labels: BoundedLabels,
    ) -> None:
        self.answers = answers
        self._repository = FeedbackRepository(database)
        self._tenants = tenants
        self._clock = clock
        self._model_label = model_label
        self._labels = labels

    async def give(self, principal: Principal, wanted: FeedbackCreate) -> tuple[Feedback, bool]:
        """Keep what a person says, in place of what they said before; whether that is new.

        Raises `LabelUnknown`, `UserReserved` or `CitationMissing`.
        """
        person = person_of(principal, wanted.user)
        await self._require_labels(principal.tenant, wanted.labels)
        ids = (wanted.answer_id, wanted.preferred_over, wanted.tied_with)
        named = [each for each in ids if each is not None]
        found = visible_to(principal, await self.answers.get_answers(principal.tenant, named))
        answer, now = found.get(wanted.answer_id), self._clock.now()
        _require_citation(answer, wanted.part)
        rating = None if wanted.rating is None else str(wanted.rating)
        row = {
            "id": new_id("fb"),
            "tenant": principal.tenant,
            "key_id": principal.key_id,
            "person": person,
            "answer_id": wanted.answer_id,
            "part": part_name(wanted.part),
            "rating": rating,
            "verdict": None if rating is None else VERDICTS[rating],
            "labels": list(dict.fromkeys(wanted.labels)),
            "comment": wanted.comment,
            "correction": wanted.correction,
            "preferred_over": wanted.preferred_over,
            "tied_with": wanted.tied_with,
            "blind": wanted.blind,
            "citation": None if answer is None else citation_of(answer, part_name(wanted.part)),
            "created_at": now,
            "updated_at": now,
            **facts_of(answer),
        }
        row |= {"other_model": None, "other_version": None, **other_facts_of(row, found, is_late=False)}
        stored = await self._repository.put(row, sources_of(found.values()))
        is_new = stored["id"] == row["id"]
        self._count(stored, is_new=is_new)
        return feedback_of(stored), is_new

    async def list_feedback(
        self, principal: Principal, asked: FeedbackFilter, limit: int, cursor: str | None, *, mine: bool
    ) -> Page[Feedback]:
        """What fits, the newest first; of a key that may not see all of the tenant's, what it gave itself."""
        if mine or not sees_all(principal):
            asked = replace(asked, key_id=principal.key_id)
        before = str(decode_cursor(cursor, str)[0]) if cursor else None
        rows = await self._repository.list_feedback(principal.tenant, asked, limit + 1, before)
        more = encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
        asked_for = await self._questions_of(principal, rows[:limit])
        return Page[Feedback](
            data=[feedback_of(row, asked_for.get(row["answer_id"])) for row in rows[:limit]], next_cursor=more
        )

    async def _questions_of(self, principal: Principal, rows: Sequence[RowMapping]) -> Mapping[str, str]:
        """How the questions began that rows are about, for who may read them all."""
        if not rows or not sees_all(principal):
            return {}
        ids = list(dict.fromkeys(row["answer_id"] for row in rows))
        return await self.answers.get_questions(principal.tenant, ids, QUESTION_CHARS)

    async def delete_one(self, principal: Principal, feedback_id: str) -> None:
        """Take one back; raises `FeedbackNotFound`, also for what the key may not see."""
        asked = FeedbackFilter(key_id=None if sees_all(principal) else principal.key_id)
        if not await self._repository.delete(principal.tenant, asked, feedback_id):
            raise FeedbackNotFound(feedback_id)

    async def delete_all(self, principal: Principal, user: str | None, answer_id: str | None) -> int:
        """Delete all of a person or of an answer; how much that was. Raises `FeedbackUnnamed` for neither."""
        require_all(principal)
        if user is None and answer_id is None:
            raise FeedbackUnnamed
        return await self._repository.delete(principal.tenant, FeedbackFilter(user=user, answer_id=answer_id))

    async def has_judged(self, tenant: str, answer_id: str, person: str) -> bool:
        """Whether the person has said something of the answer."""
        return await self._repository.has_judged(tenant, answer_id, person)

    async def link(self, tenant: str) -> None:
        """Look again for answers that were rated before their record was written."""
        after = ""
        while rows := await self._repository.unlinked(tenant, after):
            ids = [each for row in rows for each in answers_of(row)]
            found = await self.answers.get_answers(tenant, ids)
            limited = await self.limited_keys({row["key_id"] for row in rows})
            for row in rows:
                await self._link(row, own_of(row["key_id"], found) if row["key_id"] in limited else found)
            after = rows[-1]["id"]
            if len(rows) < ROWS:
                break

    async def limited_keys(self, key_ids: Collection[str]) -> set[str]:
        """Those keys that may know only of the answers that they got themselves."""
        return await self._repository.limited_keys(key_ids)

    async def _link(self, row: RowMapping, found: Mapping[str, RecordedAnswer]) -> None:
        is_late = self._clock.now() - row["updated_at"] >= RECORDED_WITHIN
        known = {each: found[each] for each in answers_of(row) if each in found}
        facts: dict[str, Any] = {}
        if row["question"] is None and (answer := known.get(row["answer_id"])) is not None:
            facts = {**facts_of(answer), "citation": citation_of(answer, row["part"])}
        elif row["question"] is None and is_late:
            facts = {"question": NOT_RECORDED}
        if row["other_model"] is None:
            facts |= other_facts_of(row, known, is_late=is_late)
        if facts:
            await self._repository.link(row, facts, sources_of(known.values()))

    async def _require_labels(self, tenant: str, labels: Sequence[str]) -> None:
        if not labels:
            return
        known = (await self._tenants.get_tenant(tenant)).feedback_labels
        for label in labels:
            if label not in known:
                raise LabelUnknown(label, known)

    def _count(self, row: RowMapping, *, is_new: bool) -> None:
        """Where, in bounded words: `other` for what came when there were as many as settings allow."""
        where = (self._model_label(row["model"]), row["prompt"] or "none", row["collections"].strip(",") or "none")
        known = self._labels.of("\n".join(where)) != OTHER
        model, prompt, collection = where if known else (where[0], OTHER, OTHER)
        rating = "none" if row["verdict"] is None else NAMES[row["verdict"]]
        FEEDBACK.labels(rating, "given" if is_new else "changed", model, prompt, collection).inc()


def person_of(principal: Principal, user: str | None) -> str:
    """Who judges: the person that the caller names, or its key. Raises `UserReserved`."""
    if user is None or user == principal.key_id:
        return principal.key_id
    if user.startswith("key_"):
        raise UserReserved
    return user


def sees_all(principal: Principal) -> bool:
    """Whether the key sees what others of its tenant said."""
    return REVIEW in principal.scopes and (principal.is_admin or not principal.is_limited)


def require_all(principal: Principal) -> None:
    """Raise `WholeTenantNeeded` unless the key sees what others of its tenant said."""
    if not sees_all(principal):
        raise WholeTenantNeeded


def visible_to(principal: Principal, found: Mapping[str, RecordedAnswer]) -> dict[str, RecordedAnswer]:
    """The answers that a key may know of: one that is limited, those that it got itself."""
    if principal.is_admin or not principal.is_limited:
        return dict(found)
    return own_of(principal.key_id, found)


def own_of(key_id: str, found: Mapping[str, RecordedAnswer]) -> dict[str, RecordedAnswer]:
    """The answers that a key got itself."""
    return {answer_id: answer for answer_id, answer in found.items() if answer.key_id == key_id}


def facts_of(answer: RecordedAnswer | None) -> dict[str, Any]:
    """What a row holds of its answer."""
    if answer is None:
        return {"model": None, "version": None, "prompt": None, "collections": "", "question": None}
    return {
        "model": answer.model and answer.model[:200],
        "version": answer.version[:200],
        "prompt": answer.prompt and answer.prompt[:200],
        "collections": f",{','.join(answer.collections)}," if answer.collections else "",
        "question": question_digest(answer.question) if answer.has_words else NOT_RECORDED,
    }


def other_facts_of(
    row: Mapping[str, Any] | RowMapping, found: Mapping[str, RecordedAnswer], *, is_late: bool
) -> dict[str, str]:
    """What a row holds of the other answer of a choice; nothing where it may be on record yet, or there is none."""
    other_id = row["preferred_over"] or row["tied_with"]
    if other_id in found:
        other = found[other_id]
        return {"other_model": (other.model or NOT_RECORDED)[:200], "other_version": other.version[:200]}
    return {"other_model": NOT_RECORDED} if is_late and other_id is not None else {}


def sources_of(answers: Any) -> list[tuple[str, str]]:
    """The documents that answers quoted or were made from."""
    cited = [(one.collection, one.document_id) for answer in answers for one in answer.citations]
    searched = [source for answer in answers for source in sorted(answer.sources)]
    return list(dict.fromkeys((*cited, *searched)))[:MOST_SOURCES]


def part_name(part: FeedbackPart | None) -> str:
    """As the table has it."""
    if part is None:
        return WHOLE
    return f"sentence:{part.sentence}" if part.sentence is not None else f"citation:{part.citation}"


def feedback_of(row: RowMapping, question: str | None = None) -> Feedback:
    """A row as callers see it, with how the question of its answer begins where that is given."""
    kind, _, number = row["part"].partition(":")
    rating = row["rating"]
    return Feedback.model_validate(
        {
            **row,
            "user": row["person"],
            "part": {kind: int(number)} if number else None,
            "rating": int(rating) if rating is not None and rating.isdigit() else rating,
            "question": question,
            "other_model": row["other_model"] or None,
            "recorded": bool(row["question"]) or row["model"] is not None,  # without words there is no question
            "collections": row["collections"].strip(",").split(",") if row["collections"] else [],
        }
    )


def citation_of(answer: RecordedAnswer, part: str) -> dict[str, Any] | None:
    """The source that a part names; null where it is no citation, or the answer has no such one."""
    kind, _, number = part.partition(":")
    if kind != "citation" or int(number) >= len(answer.cited):
        return None
    one = answer.cited[int(number)]
    return {"collection": one.collection, "document_id": one.document_id, "chunk_id": one.chunk_id}


def _require_citation(answer: RecordedAnswer | None, part: FeedbackPart | None) -> None:
    """Raise `CitationMissing` where the answer is known and has no such citation."""
    if answer is None or part is None or part.citation is None:
        return
    if part.citation >= len(answer.cited):
        if not answer.has_words:  # nor are its citations all there
            return
        raise CitationMissing(len(answer.cited))
