"""What the API does with question sets: a version is saved once it is known to be sound."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
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
from lab.errors import (
    QuestionIdTaken,
    QuestionsAlike,
    QuestionSetChanged,
    QuestionSetNotFound,
    QuestionsMissing,
    SplitsLeak,
    TooManyQuestions,
)
from lab.metrics import SAVED
from lab.questions import repository
from lab.questions.files import read_questions
from lab.questions.items import Item, make_item
from lab.questions.likeness import conversation_words, find_alike
from lab.questions.repository import Bounds, Seen, Viewer
from servicekit.core.clock import Clock
from servicekit.core.errors import ServiceError
from servicekit.sql.database import Database

TRIES = 20
"""Of a save, each on what others have saved meanwhile."""
PAUSE_SECONDS = 0.01
_CHANCE = random.SystemRandom()
TRAIN = "train"
DOUBLE = "\n"
"""Stands, while a version is checked, between an id and a number where two questions have it. No id has it in it."""
Pair = tuple[Item, Item]


@dataclass(frozen=True, slots=True)
class QuestionSets:
    """The question sets of all tenants."""

    database: Database
    clock: Clock
    bounds: Bounds

    async def save(self, viewer: Viewer, wanted: QuestionSetCreate) -> tuple[QuestionSet, bool]:
        """The newest version, with these questions, and whether it was made now; raises what is wrong with them."""
        try:
            saved, new = await self._save(viewer, wanted)
        except ServiceError:
            SAVED.labels("refused").inc()
            raise
        SAVED.labels("version" if new else "unchanged").inc()
        return saved, new

    async def _save(self, viewer: Viewer, wanted: QuestionSetCreate) -> tuple[QuestionSet, bool]:
        given = await asyncio.to_thread(_read, wanted)
        for tried in range(TRIES):
            # Savers do not keep step with each other.
            await asyncio.sleep(_CHANCE.uniform(0, tried * PAUSE_SECONDS))
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
            if repository.is_unchanged(connection, viewer, name, items, seen):
                if description is not None:
                    repository.describe(connection, viewer, name, description)
                return repository.get_version(connection, viewer, name), False
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

    async def delete(
        self, viewer: Viewer, name: str, version: int | None = None, also: Callable[[Connection], None] | None = None
    ) -> None:
        """A version, or all of the set, with what else is to go in the same transaction."""
        now = self.clock.now()

        def write(connection: Connection) -> None:
            if version is None:
                repository.delete_set(connection, viewer, name, now)
            else:
                repository.delete_version(connection, viewer, name, version)
            if also is not None:
                also(connection)

        await self.database.write(write)

    async def delete_tenant(self, tenant: str) -> None:
        """All that a tenant has."""
        await self.database.write(lambda one: repository.delete_tenant(one, tenant))


def _read(wanted: QuestionSetCreate) -> list[Item]:
    if wanted.file is not None:
        return read_questions(wanted.file)
    return [make_item(item, f"items[{at}]") for at, item in enumerate(wanted.items or ())]


def _checked(given: Sequence[Item], seen: Seen, wanted: QuestionSetCreate) -> tuple[list[Item], list[SkippedQuestion]]:
    """The questions of the version, and those that were left out."""
    removed = set(wanted.remove)
    if removed and seen.version is None:
        raise QuestionSetNotFound(wanted.name)
    items = _together(given, [item for item in seen.items if item.id not in removed] if wanted.append else ())
    if not items:
        raise QuestionsMissing(f"the set '{wanted.name}' without those")
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
        skipped.extend(SkippedQuestion(id=_own(gone), like=_own(kept)) for gone, kept in left_out.items())
    if len(items) > MOST_QUESTIONS:
        raise TooManyQuestions(len(items), MOST_QUESTIONS, f"The set '{wanted.name}'")
    return _named(items), skipped


def _together(given: Sequence[Item], before: Iterable[Item]) -> list[Item]:
    """What was there, with what was given under an id of its own in place of the question of that id; raises
    `QuestionIdTaken`. One that is only named by its words replaces none: both stay under names of their own, and what
    asks the same is for `_alike` to say."""
    there = {item.id: item for item in before}
    new: dict[str, Item] = {}
    for item in given:
        other = new.get(item.id) or (None if item.has_own_id else there.get(item.id))
        if other is None:
            new[item.id] = item
        elif item.has_own_id and other.has_own_id:
            if item.digest != other.digest:
                raise QuestionIdTaken(item.id, other.place, item.place)
        elif item.digest != other.digest:
            double = f"{item.id}{DOUBLE}{len(new)}"
            new[double] = replace(item, id=double)
    kept = [new.pop(name, item) for name, item in there.items()]
    return [*kept, *new.values()]


def _own(name: str) -> str:
    return name.partition(DOUBLE)[0]


def _named(items: Sequence[Item]) -> list[Item]:
    """Under the ids that they have in the version; raises `QuestionIdTaken`."""
    named: dict[str, Item] = {}
    for item in items:
        other = named.setdefault(_own(item.id), item)
        if other is not item:
            raise QuestionIdTaken(_own(item.id), other.place, item.place)
    return [replace(item, id=name) for name, item in named.items()]


def _alike(items: Sequence[Item]) -> list[Pair]:
    found = find_alike([conversation_words(item.said) for item in items])
    return [(items[one], items[other]) for one, other, same in found if not _differ(items[one], items[other], same)]


def _differ(first: Item, second: Item, same: bool) -> bool:
    """Whether the answers say that the words, which are the same or nearly so, ask for different things. Those in the
    same words need ids of their own for that: they would have one name."""
    if same and not (first.has_own_id and second.has_own_id):
        return False
    one, other = first.content.get("answers"), second.content.get("answers")
    return bool(one and other and not set(one) & set(other))


def _leaks(first: Item, second: Item) -> bool:
    return None not in (first.split, second.split) and first.split != second.split


def _refuse(pairs: Sequence[Pair]) -> None:
    leaks = [pair for pair in pairs if _leaks(*pair)]
    shown = [(first.shown(), second.shown()) for first, second in leaks or pairs]
    raise SplitsLeak(shown) if leaks else QuestionsAlike(shown)
