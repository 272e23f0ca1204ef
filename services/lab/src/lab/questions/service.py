"""What the API does with question sets: a version is saved once it is known to be sound."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from contracts.core.pages import Page
from contracts.improvement.question_sets import (
    MOST_QUESTIONS,
    QuestionRecord,
    QuestionSet,
    QuestionSetCreate,
    SkippedQuestion,
)
from lab.errors import QuestionIdTaken, QuestionsAlike, QuestionSetChanged, SplitsLeak, TooManyQuestions
from lab.metrics import SAVED
from lab.questions import repository
from lab.questions.files import read_questions
from lab.questions.items import Item, make_item, name_of
from lab.questions.likeness import conversation_words, find_alike
from lab.questions.repository import Bounds, Seen, Viewer
from servicekit.core.clock import Clock
from servicekit.core.errors import ServiceError
from servicekit.sql.database import Database

TRIES = 5
"""Of a save, each on what others have saved meanwhile."""
TRAIN = "train"
Pair = tuple[Item, Item]


@dataclass(frozen=True, slots=True)
class QuestionSets:
    """The question sets of all tenants."""

    database: Database
    clock: Clock
    bounds: Bounds

    async def save(self, viewer: Viewer, wanted: QuestionSetCreate) -> tuple[QuestionSet, bool]:
        """The version with these questions, and whether it was made now. Raises what is wrong with them."""
        try:
            saved, new = await self._save(viewer, wanted)
        except ServiceError:
            SAVED.labels("refused").inc()
            raise
        SAVED.labels("version" if new else "unchanged").inc()
        return saved, new

    async def _save(self, viewer: Viewer, wanted: QuestionSetCreate) -> tuple[QuestionSet, bool]:
        given = await asyncio.to_thread(_read, wanted)
        for _ in range(TRIES):
            seen = await self.database.read(lambda one: repository.look(one, viewer, wanted.name))
            items, skipped = await asyncio.to_thread(_checked, given, seen, wanted)
            version, new = await self._keep(viewer, wanted, items, seen)
            if version is not None:
                return version.model_copy(update={"skipped": skipped}), new
        raise QuestionSetChanged(wanted.name)

    async def _keep(
        self, viewer: Viewer, wanted: QuestionSetCreate, items: Sequence[Item], seen: Seen
    ) -> tuple[QuestionSet | None, bool]:
        """The version, or none where others were first."""
        now = self.clock.now()
        name, description = wanted.name, wanted.description

        def write(connection: Connection) -> tuple[QuestionSet | None, bool]:
            same = None if seen.version is None else repository.same_version(connection, viewer, name, items)
            if same is not None:
                if description is not None:
                    repository.describe(connection, viewer, name, description)
                return repository.get_version(connection, viewer, name, same), False
            if not repository.add_version(connection, viewer, name, description, items, seen, self.bounds, now):
                return None, False
            return repository.get_version(connection, viewer, name), True

        return await self.database.write(write)

    async def get(self, viewer: Viewer, name: str, version: int | None = None) -> QuestionSet:
        """A version, by default the newest."""
        return await self.database.read(lambda one: repository.get_version(one, viewer, name, version))

    async def list_sets(self, viewer: Viewer, limit: int, cursor: str | None) -> Page[QuestionSet]:
        """By name."""
        return await self.database.read(lambda one: repository.list_sets(one, viewer, limit, cursor))

    async def list_versions(self, viewer: Viewer, name: str, limit: int, cursor: str | None) -> Page[QuestionSet]:
        """Newest first."""
        return await self.database.read(lambda one: repository.list_versions(one, viewer, name, limit, cursor))

    async def list_questions(
        self, viewer: Viewer, name: str, version: int, split: str | None, limit: int, cursor: str | None
    ) -> Page[QuestionRecord]:
        """In the order in which they came."""
        which = (name, version, split, limit, cursor)
        return await self.database.read(lambda one: repository.list_questions(one, viewer, *which))

    async def delete(self, viewer: Viewer, name: str, version: int | None = None) -> None:
        """A version, or all of the set."""
        now = self.clock.now()
        if version is None:
            await self.database.write(lambda one: repository.delete_set(one, viewer, name, now))
        else:
            await self.database.write(lambda one: repository.delete_version(one, viewer, name, version))

    async def delete_tenant(self, tenant: str) -> None:
        """All that a tenant has."""
        await self.database.write(lambda one: repository.delete_tenant(one, tenant))


def _read(wanted: QuestionSetCreate) -> list[Item]:
    if wanted.file is not None:
        return read_questions(wanted.file)
    return [make_item(item, f"items[{at}]") for at, item in enumerate(wanted.items or ())]


def _checked(given: Sequence[Item], seen: Seen, wanted: QuestionSetCreate) -> tuple[list[Item], list[SkippedQuestion]]:
    """The questions of the version, and those that were left out."""
    items = _together(given, seen.items if wanted.append else ())
    skipped: list[SkippedQuestion] = []
    while pairs := _alike(items):
        if wanted.duplicates == "refuse":
            _refuse(pairs)
        left_out: dict[str, str] = {}
        for first, second in pairs:
            if first.id not in left_out and second.id not in left_out:
                kept, gone = (second, first) if _leaks(first, second) and first.split == TRAIN else (first, second)
                left_out[gone.id] = kept.id
        items = [item for item in items if item.id not in left_out]
        skipped.extend(SkippedQuestion(id=gone, like=kept) for gone, kept in left_out.items())
    if len(items) > MOST_QUESTIONS:
        raise TooManyQuestions(len(items), MOST_QUESTIONS, f"The set '{wanted.name}'")
    return [replace(item, id=item.content["id"]) for item in items], skipped


def _together(given: Sequence[Item], before: Iterable[Item]) -> list[Item]:
    """What was there, with what was given in place of questions of the same id; raises `QuestionIdTaken`. Two that are
    named by the same words both stay: what asks the same is for `_alike` to say."""
    named: dict[str, Item] = {}
    for item in given:
        other = named.setdefault(item.id, item)
        if other is item or other.digest == item.digest:
            continue
        if item.id != name_of(item.said):
            raise QuestionIdTaken(item.id, other.place, item.place)
        double = f"{item.id}-{len(named) + 1}"
        named[double] = replace(item, id=double)
    kept = {item.id: named.pop(item.id, item) for item in before}
    return [*kept.values(), *named.values()]


def _alike(items: Sequence[Item]) -> list[Pair]:
    found = find_alike([conversation_words(item.said) for item in items])
    return [(items[one], items[other]) for one, other, same in found if same or not _differ(items[one], items[other])]


def _differ(first: Item, second: Item) -> bool:
    """Whether two answers say that nearly the same words ask for different things."""
    one, other = first.content.get("answers"), second.content.get("answers")
    return bool(one and other and not set(one) & set(other))


def _leaks(first: Item, second: Item) -> bool:
    return None not in (first.split, second.split) and first.split != second.split


def _refuse(pairs: Sequence[Pair]) -> None:
    leaks = [pair for pair in pairs if _leaks(*pair)]
    shown = [(first.shown(), second.shown()) for first, second in leaks or pairs]
    raise SplitsLeak(shown) if leaks else QuestionsAlike(shown)
