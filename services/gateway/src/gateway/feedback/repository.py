"""Feedback in SQL: one row a person, answer and part, however often it is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    ScalarSelect,
    Select,
    String,
    and_,
    cast,
    delete,
    exists,
    or_,
    select,
    update,
)

from gateway.storage.tables import feedback, feedback_sources, keys
from servicekit.sql.database import Database, rows_of
from servicekit.sql.upserts import upsert

ROWS = 500
VERDICTS = {"up": 1, "down": -1, "1": -1, "2": -1, "3": 0, "4": 1, "5": 1}
NAMES = {1: "up", 0: "neutral", -1: "down"}
WHOLE = "answer"
"""The part of an answer that is all of it."""
NOT_RECORDED = ""
"""In `question` and `other_model`: it was looked, and there is no record of the answer."""
_SAME = (feedback.c.tenant, feedback.c.answer_id, feedback.c.person, feedback.c.part)
_FIRST = frozenset(("id", "tenant", "answer_id", "person", "part", "created_at"))
"""Columns that stay as they were first."""


@dataclass(frozen=True, slots=True)
class FeedbackFilter:
    """Which feedback is meant; null means any."""

    key_id: str | None = None
    answer_id: str | None = None
    user: str | None = None
    rating: str | None = None
    label: str | None = None
    model: str | None = None
    collection: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL has them."""
        found = [
            column == value
            for column, value in (
                (feedback.c.key_id, self.key_id),
                (feedback.c.answer_id, self.answer_id),
                (feedback.c.person, self.user),
                (feedback.c.model, self.model),
            )
            if value is not None
        ]
        if self.rating in ("up", "down"):
            found.append(feedback.c.verdict == VERDICTS[self.rating])
        elif self.rating is not None:
            found.append(feedback.c.rating == self.rating)
        if self.label is not None:
            found.append(cast(feedback.c.labels, String).contains(f'"{self.label}"', autoescape=True))
        if self.collection is not None:
            found.append(feedback.c.collections.contains(f",{self.collection},", autoescape=True))
        if self.start is not None:
            found.append(feedback.c.created_at >= self.start)
        if self.end is not None:
            found.append(feedback.c.created_at < self.end)
        return found


class FeedbackRepository:
    """Puts, lists and deletes feedback."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, row: Mapping[str, Any], sources: Collection[tuple[str, str]]) -> RowMapping:
        """Insert a row, or replace what the same person said of the same part; the row as it is now."""
        return await self._database.write(lambda connection: _put(connection, row, sources))

    async def list_feedback(
        self, tenant: str, asked: FeedbackFilter, limit: int, before: str | None
    ) -> Sequence[RowMapping]:
        """So many rows, the newest first."""
        query = _of(tenant).where(*asked.conditions()).order_by(feedback.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(feedback.c.id < before)
        return await self._database.read(rows_of(query))

    async def has_judged(self, tenant: str, answer_id: str, person: str) -> bool:
        """Whether the person has said something of the answer."""
        query = _of(tenant).where(feedback.c.answer_id == answer_id, feedback.c.person == person).limit(1)
        return bool(await self._database.read(rows_of(query)))

    async def delete(self, tenant: str, asked: FeedbackFilter, feedback_id: str | None = None) -> int:
        """Delete what fits, in steps; how many rows there were."""
        query = select(feedback.c.id).where(feedback.c.tenant == tenant, *asked.conditions()).limit(ROWS)
        if feedback_id is not None:
            query = query.where(feedback.c.id == feedback_id)
        gone = 0
        while ids := await self._database.write(lambda connection: _delete(connection, query)):
            gone += len(ids)
        return gone

    async def unlinked(self, tenant: str, after: str) -> Sequence[RowMapping]:
        """Rows of which it isn't known whether their answer is on record, or the other one of a choice, by id."""
        is_choice = or_(feedback.c.preferred_over.is_not(None), feedback.c.tied_with.is_not(None))
        unknown = or_(feedback.c.question.is_(None), and_(is_choice, feedback.c.other_model.is_(None)))
        query = _of(tenant).where(unknown, feedback.c.id > after)
        return await self._database.read(rows_of(query.order_by(feedback.c.id).limit(ROWS)))

    async def limited_keys(self, key_ids: Collection[str]) -> set[str]:
        """Those that may use only some of their tenant's models or collections, as they are now; and unknown ones."""
        wanted = select(keys.c.id, keys.c.admin, keys.c.models, keys.c.collections).where(keys.c.id.in_(key_ids))
        rows = await self._database.read(rows_of(wanted)) if key_ids else ()
        return set(key_ids) - {
            row["id"] for row in rows if row["admin"] or (row["models"] is None and row["collections"] is None)
        }

    async def link(self, row: RowMapping, facts: Mapping[str, Any], sources: Collection[tuple[str, str]]) -> None:
        """Note what is known of a row's answers now, unless somebody has replaced or deleted it meanwhile."""
        same = feedback.c.id == row["id"], feedback.c.updated_at == row["updated_at"]
        change = update(feedback).where(*same).values(**facts, withheld=_is_withheld(row)).returning(feedback.c.id)

        def work(connection: Connection) -> None:
            if connection.execute(change).first() is not None:
                _add_sources(connection, row["tenant"], row["id"], sources)

        await self._database.write(work)


def answers_of(row: Mapping[str, Any] | RowMapping) -> list[str]:
    """The answers that a row is about: its own, and the other one of a choice."""
    return [each for each in (row["answer_id"], row["preferred_over"], row["tied_with"]) if each is not None]


def _of(tenant: str) -> Select[Any]:
    return select(feedback).where(feedback.c.tenant == tenant)


def _is_withheld(row: Mapping[str, Any] | RowMapping) -> ScalarSelect[bool]:
    """Whether other feedback on the answer, or on the one against which it was chosen, is withheld: a document that it
    quoted was deleted, and what is said of it later must not bring its words back."""
    other = feedback.alias("other")
    same = other.c.tenant == row["tenant"], other.c.answer_id.in_(answers_of(row))
    return select(exists().where(*same, other.c.withheld)).scalar_subquery()


def _put(connection: Connection, row: Mapping[str, Any], sources: Collection[tuple[str, str]]) -> RowMapping:
    _take_back_choice(connection, row)
    statement = upsert(connection.dialect, feedback).values(**row, withheld=_is_withheld(row))
    changed = {name: statement.excluded[name] for name in (*row, "withheld") if name not in _FIRST}
    statement = statement.on_conflict_do_update(index_elements=_SAME, set_=changed).returning(*feedback.c)
    stored = connection.execute(statement).mappings().one()
    _put_sources(connection, stored["tenant"], stored["id"], sources)
    return stored


def _take_back_choice(connection: Connection, row: Mapping[str, Any]) -> None:
    """What the same person chose before between the same two answers, as it was said of the other one."""
    for other_id in answers_of(row)[1:]:
        other = {"tenant": row["tenant"], "answer_id": other_id, "person": row["person"], "part": WHOLE}
        chosen = or_(feedback.c.preferred_over == row["answer_id"], feedback.c.tied_with == row["answer_id"])
        same = and_(*(feedback.c[name] == value for name, value in other.items()), chosen)
        nothing = {
            "preferred_over": None,
            "tied_with": None,
            "blind": False,
            "other_model": None,
            "other_version": None,
        }
        left = connection.execute(update(feedback).where(same).values(**nothing).returning(*feedback.c)).mappings()
        for one in left.all():
            if not any(one[name] for name in ("rating", "labels", "comment", "correction")):
                _delete(connection, select(feedback.c.id).where(feedback.c.id == one["id"]))


def _put_sources(connection: Connection, tenant: str, feedback_id: str, sources: Collection[tuple[str, str]]) -> None:
    connection.execute(delete(feedback_sources).where(feedback_sources.c.feedback_id == feedback_id))
    _add_sources(connection, tenant, feedback_id, sources)


def _add_sources(connection: Connection, tenant: str, feedback_id: str, sources: Collection[tuple[str, str]]) -> None:
    if sources:
        names = ("collection", "document_id")
        rows = [{**dict(zip(names, one, strict=True)), "tenant": tenant, "feedback_id": feedback_id} for one in sources]
        connection.execute(upsert(connection.dialect, feedback_sources).on_conflict_do_nothing(), rows)


def _delete(connection: Connection, query: Select[Any]) -> Sequence[str]:
    ids = [row[0] for row in connection.execute(query)]
    if ids:
        connection.execute(delete(feedback_sources).where(feedback_sources.c.feedback_id.in_(ids)))
        connection.execute(delete(feedback).where(feedback.c.id.in_(ids)))
    return ids
