"""Accepted questions become a version of their set: those whose documents are still as they were, and that ask what no
question of the set does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping

from contracts.improvement.question_generation import GenerationCreate
from contracts.improvement.question_sets import QuestionItem, QuestionSet, QuestionSetCreate
from lab.evaluations.documents import Documents
from lab.generation import repository
from lab.generation.maker import asked_words
from lab.questions import repository as question_sets
from lab.questions.likeness import Asked, conversation_words
from lab.questions.repository import Viewer
from lab.questions.service import QuestionSets

Run = Mapping[str, Any] | RowMapping
AT_ONCE = 8
"""Documents that are looked for at once."""
GENERATED, NEAR_MISS = "generated", "near_miss"
"""Labels of what is made."""


@dataclass(frozen=True, slots=True)
class Publication:
    """Saves what was accepted. Done twice it makes one version: each question has an id of its own."""

    sets: QuestionSets
    documents: Documents

    async def save(self, viewer: Viewer, run: Run, token: str) -> tuple[QuestionSet, bool] | None:
        """The set's newest version and whether it was made now; none where nothing is left to save."""
        name, run_id = run["question_set"], run["id"]
        rows = await self.sets.database.read(lambda one: repository.rows_in(one, run_id, ("accepted",)))
        stale = await self._stale(rows, run["collection"], token)
        rows = [row for row in rows if row["document_id"] not in stale]
        seen = await self.sets.database.read(lambda one: question_sets.look(one, viewer, name))
        items, alike = await asyncio.to_thread(_items, rows, run, list(seen.items))
        await self.sets.database.write(lambda one: _set_aside(one, run_id, stale, alike))
        if not items:
            return None
        saving = {row["number"]: row["content"] for row in rows if row["number"] in items}
        wanted = QuestionSetCreate(name=name, items=list(items.values()), append=True)
        saved, new = await self.sets.save(viewer, wanted)
        await self.sets.database.write(lambda one: repository.mark_saved(one, run_id, saving, saved.version))
        return saved, new

    async def is_gone(self, collection: str, document_id: str, token: str) -> bool:
        """Whether a document is deleted."""
        found = await self.documents.find(token, collection, document_id)
        return found is None or found.status == "deleting"

    async def _stale(self, rows: Sequence[RowMapping], collection: str, token: str) -> dict[str, str]:
        """Documents that are gone, or were changed, and which of both."""
        revisions = {row["document_id"]: row["content"]["span"]["revision"] for row in rows}
        room = asyncio.Semaphore(AT_ONCE)

        async def reason(document_id: str, revision: int) -> str | None:
            async with room:
                found = await self.documents.find(token, collection, document_id)
            if found is None or found.status == "deleting":
                return "document_deleted"
            return None if found.revision == revision else "document_changed"

        found = await asyncio.gather(*(reason(*one) for one in revisions.items()))
        return {document: why for document, why in zip(revisions, found, strict=True) if why is not None}


def _set_aside(connection: Connection, run_id: str, stale: Mapping[str, str], alike: Sequence[int]) -> None:
    """What is not saved, and why."""
    for document, why in stale.items():
        repository.set_stale(connection, run_id, document, why)
    gone = {"state": "rejected", "reason": "asks_the_same"}
    repository.mark(connection, run_id, alike, gone, "accepted")


def _items(rows: Sequence[RowMapping], run: Run, there: Sequence[Any]) -> tuple[dict[int, QuestionItem], list[int]]:
    """Questions by their numbers, and the numbers of those that ask what the set, or one before, asks."""
    mine = {_id(run, row["number"]) for row in rows}
    asked = Asked(conversation_words(item.said) for item in there if item.id not in mine)
    items: dict[int, QuestionItem] = {}
    alike: list[int] = []
    for row in rows:
        words = asked_words(row["content"]["question"])
        if asked.has(words):
            alike.append(row["number"])
        else:
            asked.add(words)
            items[row["number"]] = _item(row, run)
    return items, alike


def _item(row: RowMapping, run: Run) -> QuestionItem:
    wanted = GenerationCreate.model_validate(run["wanted"])
    content, span = row["content"], row["content"]["span"]
    labels = dict.fromkeys([*wanted.labels, GENERATED, *([] if row["answerable"] else [NEAR_MISS])])
    place = {name: span[name] for name in ("document_id", "revision", "start", "end")}
    about = {"run": run["id"], "by": row["made_by"], "collection": run["collection"], **place}
    return QuestionItem.model_validate(
        {
            "id": _id(run, row["number"]),
            "question": content["question"],
            "answers": content.get("answers", []) if row["answerable"] else [],
            "documents": {span["document_id"]: 1} if row["answerable"] else {},
            "answerable": row["answerable"],
            "labels": list(labels),
            "split": wanted.split,
            "metadata": {"generated": about},
        }
    )


def _id(run: Run, number: int) -> str:
    return f"{run['id']}.{number}"
