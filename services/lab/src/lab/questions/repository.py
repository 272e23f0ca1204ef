"""Question sets in SQL. All functions run on one connection, inside the caller's transaction.

A version is made by one conditional update of the set's row, so that of two savers at once one is first, and the other
begins anew on what the first has made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from contracts.core.pages import Page
from contracts.improvement.question_sets import QuestionRecord, QuestionSet
from lab.errors import (
    LastVersion,
    NoQuestions,
    QuestionSetNotFound,
    QuestionSetNotYours,
    QuestionSetVersionNotFound,
    TooManyQuestions,
    TooManyQuestionSets,
)
from lab.questions.items import Item, counts_of, digest_of, stored_item
from lab.tables import QUESTION_SETS, QUESTIONS, VERSIONS
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.sql.upserts import upsert

ROWS = 500
MOST_SAID = 50_000
SAID_AT_ONCE = 100
"""Questions of a set that new ones are compared with."""
SETS, ITEMS = QUESTION_SETS.c, QUESTIONS.c


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. A key that is limited to some collections or models sees only sets that it made itself."""

    tenant: str
    key_id: str
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one tenant may have."""

    sets: int
    questions: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A set as a saver saw it: the highest number given (0: never one), and the newest version's questions."""

    newest: int
    version: int | None
    items: Sequence[Item]


def look(connection: Connection, viewer: Viewer, name: str) -> Seen:
    """What a new version would follow; raises `QuestionSetNotYours`."""
    row = connection.execute(select(QUESTION_SETS).where(_named(viewer, name))).mappings().one_or_none()
    if row is None:
        return Seen(0, None, ())
    if row["deleted_at"] is not None:
        return Seen(row["newest"], None, ())
    if viewer.limited and row["key_id"] != viewer.key_id:
        raise QuestionSetNotYours(name)
    newest = _newest(connection, viewer, name)
    if newest is None:
        return Seen(row["newest"], None, ())
    version = newest[0]
    rows = connection.execute(_questions(viewer, name, version).order_by(ITEMS.number)).mappings()
    return Seen(row["newest"], version, [stored_item(each["content"], each["digest"]) for each in rows])


def is_unchanged(connection: Connection, viewer: Viewer, name: str, items: Sequence[Item], seen: Seen) -> bool:
    """Whether the version that was seen is still the newest, and has these questions. Older ones do not count: who
    goes back to what they had wants it to be the newest."""
    return _newest(connection, viewer, name) == (seen.version, digest_of(items))


def add_version(
    connection: Connection,
    viewer: Viewer,
    name: str,
    description: str | None,
    items: Sequence[Item],
    seen: Seen,
    bounds: Bounds,
    now: datetime,
) -> bool:
    """Make a version that follows what was seen; false where others were first. Raises `TooManyQuestionSets` or
    `TooManyQuestions`."""
    if seen.version is None:
        _check_sets(connection, viewer, bounds)
    elif (newest := _newest(connection, viewer, name)) is None or newest[0] != seen.version:
        return False
    if not _take_number(connection, viewer, name, description, seen, now):
        return False
    number = seen.newest + 1
    _store(connection, viewer, name, items, number)
    _check_questions(connection, viewer, bounds)
    made = {"digest": digest_of(items), "counts": counts_of(items), "created_at": now}
    connection.execute(insert(VERSIONS).values(tenant=viewer.tenant, name=name, version=number, **made))
    return True


def describe(connection: Connection, viewer: Viewer, name: str, description: str) -> None:
    """Change what the set is said to be."""
    connection.execute(update(QUESTION_SETS).where(_named(viewer, name)).values(description=description))


def get_version(connection: Connection, viewer: Viewer, name: str, number: int | None = None) -> QuestionSet:
    """One version, the newest unless a number is given; raises `QuestionSetNotFound` or
    `QuestionSetVersionNotFound`."""
    query = _versions(viewer).where(SETS.name == name)
    query = query.order_by(VERSIONS.c.version.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise QuestionSetNotFound(name)
    if number is not None and number != row["version"]:
        one = _versions(viewer).where(SETS.name == name, VERSIONS.c.version == number)
        newest, row = row["newest"], connection.execute(one).mappings().one_or_none()
        if row is None:
            raise QuestionSetVersionNotFound(name, number, newest)
    return _shown(row)


def list_sets(connection: Connection, viewer: Viewer, limit: int, cursor: str | None) -> Page[QuestionSet]:
    """The newest versions by name."""
    later = VERSIONS.alias("later")
    same = and_(later.c.tenant == VERSIONS.c.tenant, later.c.name == VERSIONS.c.name)
    query = _versions(viewer).where(~exists().where(same, later.c.version > VERSIONS.c.version))
    if cursor is not None:
        query = query.where(SETS.name > decode_cursor(cursor, str)[0])
    return _page(connection, query.order_by(SETS.name), limit, "name")


def newest_versions(connection: Connection, viewer: Viewer) -> list[tuple[str, int]]:
    """Name and number of the newest version of every set, by name."""
    each = _versions(viewer).subquery()
    query = select(each.c.name, func.max(each.c.version)).group_by(each.c.name).order_by(each.c.name)
    return [(name, version) for name, version in connection.execute(query)]


def list_versions(
    connection: Connection, viewer: Viewer, name: str, limit: int, cursor: str | None
) -> Page[QuestionSet]:
    """All versions, newest first; raises `QuestionSetNotFound`."""
    get_version(connection, viewer, name)
    query = _versions(viewer).where(SETS.name == name)
    if cursor is not None:
        query = query.where(VERSIONS.c.version < decode_cursor(cursor, int)[0])
    return _page(connection, query.order_by(VERSIONS.c.version.desc()), limit, "version")


def list_questions(
    connection: Connection, viewer: Viewer, name: str, number: int, split: str | None, limit: int, cursor: str | None
) -> Page[QuestionRecord]:
    """The questions of a version, in the order in which they came; raises as `get_version`, or `NoQuestions`."""
    version = get_version(connection, viewer, name, number)
    query = _questions(viewer, name, number)
    if split is not None:
        if split not in version.splits:
            raise NoQuestions(name, number, split, version.splits)
        query = query.where(ITEMS.split == split)
    if cursor is not None:
        query = query.where(ITEMS.number > decode_cursor(cursor, int)[0])
    rows = connection.execute(query.order_by(ITEMS.number).limit(limit + 1)).mappings().all()
    following = encode_cursor(rows[limit - 1]["number"]) if len(rows) > limit else None
    data = [QuestionRecord.model_validate(row["content"]) for row in rows[:limit]]
    return Page[QuestionRecord](data=data, next_cursor=following)


def all_questions(
    connection: Connection, viewer: Viewer, name: str, number: int, split: str | None
) -> list[QuestionRecord]:
    """All of a version's, in order; raises as `get_version`."""
    get_version(connection, viewer, name, number)
    query = _questions(viewer, name, number)
    if split is not None:
        query = query.where(ITEMS.split == split)
    rows = connection.execute(query.order_by(ITEMS.number)).mappings()
    return [QuestionRecord.model_validate(row["content"]) for row in rows]


def read_questions(
    connection: Connection, tenant: str, name: str, number: int, ids: Sequence[str]
) -> dict[str, QuestionRecord]:
    """Those of a version that have these ids, by id; none of a version that is gone."""
    version = and_(VERSIONS.c.tenant == tenant, VERSIONS.c.name == name, VERSIONS.c.version == number)
    query = _questions(Viewer(tenant, ""), name, number).where(ITEMS.question_id.in_(ids), exists().where(version))
    rows = connection.execute(query).mappings()
    return {row["question_id"]: QuestionRecord.model_validate(row["content"]) for row in rows}


def said_in_set(
    connection: Connection, tenant: str, name: str, before: int | None = None
) -> list[tuple[int, list[str]]]:
    """Some numbers of questions of a set, of the versions before the newest, too, and what is said in each: the newest
    rows first, of those `before` a number."""
    query = select(QUESTIONS).where(ITEMS.tenant == tenant, ITEMS.name == name)
    if before is not None:
        query = query.where(ITEMS.number < before)
    rows = connection.execute(query.order_by(ITEMS.number.desc()).limit(SAID_AT_ONCE)).mappings()
    return [(row["number"], stored_item(row["content"], row["digest"]).said) for row in rows]


def delete_version(connection: Connection, viewer: Viewer, name: str, number: int) -> None:
    """Remove a version, and the questions that no other has; raises `LastVersion`, or as `get_version`."""
    get_version(connection, viewer, name, number)
    count = connection.execute(select(func.count()).select_from(VERSIONS).where(_of(viewer, name))).scalar_one()
    if count == 1:
        raise LastVersion(name, number)
    connection.execute(delete(VERSIONS).where(_of(viewer, name), VERSIONS.c.version == number))
    last = func.coalesce(ITEMS.last_version, VERSIONS.c.version)
    has = exists().where(
        VERSIONS.c.tenant == ITEMS.tenant,
        VERSIONS.c.name == ITEMS.name,
        VERSIONS.c.version.between(ITEMS.first_version, last),
    )
    connection.execute(delete(QUESTIONS).where(ITEMS.tenant == viewer.tenant, ITEMS.name == name, ~has))


def delete_set(connection: Connection, viewer: Viewer, name: str, now: datetime) -> None:
    """Remove a set with all its versions. Its row stays, so that no number is given twice."""
    get_version(connection, viewer, name)
    connection.execute(delete(QUESTIONS).where(ITEMS.tenant == viewer.tenant, ITEMS.name == name))
    connection.execute(delete(VERSIONS).where(_of(viewer, name)))
    gone = {"deleted_at": now, "description": ""}
    connection.execute(update(QUESTION_SETS).where(_named(viewer, name)).values(**gone))


def delete_tenant(connection: Connection, tenant: str) -> None:
    """Remove all that a tenant has."""
    for table in (QUESTIONS, VERSIONS, QUESTION_SETS):
        connection.execute(delete(table).where(table.c.tenant == tenant))


def _take_number(
    connection: Connection, viewer: Viewer, name: str, description: str | None, seen: Seen, now: datetime
) -> bool:
    if seen.newest == 0:
        first = {"tenant": viewer.tenant, "name": name, "description": description or "", "newest": 1}
        statement = upsert(connection.dialect, QUESTION_SETS).values(**first, key_id=viewer.key_id, created_at=now)
        made = connection.execute(
            statement.on_conflict_do_nothing(index_elements=[SETS.tenant, SETS.name]).returning(SETS.name)
        )
        return made.first() is not None
    is_deleted = SETS.deleted_at.is_not(None) if seen.version is None else SETS.deleted_at.is_(None)
    changes: dict[str, Any] = {"newest": seen.newest + 1, "deleted_at": None}
    if seen.version is None:
        changes |= {"key_id": viewer.key_id, "created_at": now}
    if description is not None:
        changes["description"] = description
    taken = update(QUESTION_SETS).where(_named(viewer, name), SETS.newest == seen.newest, is_deleted)
    return connection.execute(taken.values(**changes).returning(SETS.name)).first() is not None


def _store(connection: Connection, viewer: Viewer, name: str, items: Sequence[Item], number: int) -> None:
    """End the rows of questions that the version has not, and add those that have no row."""
    mine = and_(ITEMS.tenant == viewer.tenant, ITEMS.name == name)
    query = select(ITEMS.number, ITEMS.digest).where(mine, ITEMS.last_version.is_(None))
    open_rows = {row.digest: row.number for row in connection.execute(query)}
    wanted = {item.digest: item for item in items}
    ended = [row for digest, row in open_rows.items() if digest not in wanted]
    for at in range(0, len(ended), ROWS):
        these = update(QUESTIONS).where(mine, ITEMS.number.in_(ended[at : at + ROWS]))
        connection.execute(these.values(last_version=number - 1))
    after: int = connection.execute(select(func.coalesce(func.max(ITEMS.number), 0)).where(mine)).scalar_one()
    new = [item for digest, item in wanted.items() if digest not in open_rows]
    rows: list[Mapping[str, Any]] = [
        {
            "tenant": viewer.tenant,
            "name": name,
            "number": after + at,
            "first_version": number,
            "question_id": item.id,
            "split": item.split,
            "digest": item.digest,
            "content": dict(item.content),
        }
        for at, item in enumerate(new, start=1)
    ]
    if rows:
        connection.execute(insert(QUESTIONS), rows)


def _check_sets(connection: Connection, viewer: Viewer, bounds: Bounds) -> None:
    mine = select(func.count()).where(SETS.tenant == viewer.tenant, SETS.deleted_at.is_(None))
    if connection.execute(mine).scalar_one() >= bounds.sets:
        raise TooManyQuestionSets(bounds.sets)


def _check_questions(connection: Connection, viewer: Viewer, bounds: Bounds) -> None:
    count = connection.execute(select(func.count()).where(ITEMS.tenant == viewer.tenant)).scalar_one()
    if count > bounds.questions:
        raise TooManyQuestions(count, bounds.questions, "The tenant")


def _newest(connection: Connection, viewer: Viewer, name: str) -> tuple[int, str] | None:
    """Its number and digest; none where the set was deleted a moment ago."""
    query = select(VERSIONS.c.version, VERSIONS.c.digest).where(_of(viewer, name))
    row = connection.execute(query.order_by(VERSIONS.c.version.desc()).limit(1)).first()
    return None if row is None else (row.version, row.digest)


def _versions(viewer: Viewer) -> Select[Any]:
    """All versions of sets that the viewer sees."""
    same = and_(SETS.tenant == VERSIONS.c.tenant, SETS.name == VERSIONS.c.name)
    columns = (VERSIONS.c.version, VERSIONS.c.digest, VERSIONS.c.counts, VERSIONS.c.created_at.label("updated_at"))
    query = select(QUESTION_SETS, *columns).join(VERSIONS, same)
    query = query.where(SETS.tenant == viewer.tenant, SETS.deleted_at.is_(None))
    return query.where(SETS.key_id == viewer.key_id) if viewer.limited else query


def _questions(viewer: Viewer, name: str, number: int) -> Select[Any]:
    last = or_(ITEMS.last_version.is_(None), ITEMS.last_version >= number)
    return select(QUESTIONS).where(
        ITEMS.tenant == viewer.tenant, ITEMS.name == name, ITEMS.first_version <= number, last
    )


def _named(viewer: Viewer, name: str) -> ColumnElement[bool]:
    return and_(SETS.tenant == viewer.tenant, SETS.name == name)


def _of(viewer: Viewer, name: str) -> ColumnElement[bool]:
    return and_(VERSIONS.c.tenant == viewer.tenant, VERSIONS.c.name == name)


def _page(connection: Connection, query: Select[Any], limit: int, key: str) -> Page[QuestionSet]:
    rows = connection.execute(query.limit(limit + 1)).mappings().all()
    following = encode_cursor(rows[limit - 1][key]) if len(rows) > limit else None
    return Page[QuestionSet](data=[_shown(row) for row in rows[:limit]], next_cursor=following)


def _shown(row: RowMapping) -> QuestionSet:
    return QuestionSet(
        name=row["name"],
        description=row["description"],
        version=row["version"],
        newest=row["newest"],
        digest=row["digest"],
        key_id=row["key_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        **row["counts"],
    )
