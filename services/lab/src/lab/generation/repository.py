"""Runs that make questions, and what they made, in SQL. All functions run on one connection, inside the caller's
transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from contracts.access.delegation import Spent
from contracts.core.pages import Page
from contracts.improvement.question_generation import (
    FINAL_GENERATION_STATUSES,
    GeneratedQuestion,
    Generation,
    GenerationCreate,
)
from lab.errors import GenerationNotFound, GenerationUnfinished, TooManyGenerations
from lab.questions.repository import Viewer
from lab.tables import GENERATED, GENERATIONS
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.identifiers import new_id
from servicekit.jobs.tables import JobOwner

NANO = Decimal(10**9)
ROWS = 500
FOUND = 1_000_000
"""Above it are the numbers of passages from which a run's are chosen yet."""
PLANNED = "planned"
KEPT = ("proposed", "accepted", "rejected", "saved")
"""States of what was kept, whatever a person said of it then."""
CLOCKS_DIFFER = timedelta(minutes=1)
"""At most, of two hosts."""
OPEN = (PLANNED, "proposed", "accepted", "rejected", "dropped")
"""States of what is in no version: it goes with its document."""
PASSAGE = ("span", "why")
"""Fields of a question that quote its document."""
_RUN, _MADE = GENERATIONS.c, GENERATED.c


def create_generation(
    connection: Connection,
    owner: JobOwner,
    viewer: Viewer,
    name: str,
    wanted: GenerationCreate,
    most: int,
    now: datetime,
) -> str:
    """Queue one; its id. Raises `TooManyGenerations`."""
    mine = select(func.count()).select_from(GENERATIONS).where(_RUN.tenant == viewer.tenant)
    if connection.execute(mine).scalar_one() >= most:
        raise TooManyGenerations(most)
    generation_id = new_id("gen")
    near_misses = wanted.count // 5 if wanted.near_misses is None else wanted.near_misses
    row = {
        "id": generation_id,
        **owner.queued(now),
        "created_at": now,
        "question_set": name,
        "collection": wanted.collection,
        "wanted": wanted.model_copy(update={"near_misses": near_misses}).model_dump(mode="json"),
        "limited": viewer.limited,
        "budget_nano_usd": None if wanted.budget_usd is None else int(wanted.budget_usd * NANO),
    }
    connection.execute(insert(GENERATIONS).values(**row))
    return generation_id


def get_generation(connection: Connection, viewer: Viewer, name: str, generation_id: str) -> Generation:
    """One; raises `GenerationNotFound`."""
    return _shown(connection, [find_row(connection, viewer, name, generation_id)])[0]


def list_generations(
    connection: Connection, viewer: Viewer, name: str, limit: int, cursor: str | None
) -> Page[Generation]:
    """Of one set, newest first."""
    query = _seen(viewer, name)
    if cursor is not None:
        query = query.where(_RUN.id < decode_cursor(cursor, str)[0])
    rows = connection.execute(query.order_by(_RUN.id.desc()).limit(limit + 1)).mappings().all()
    following = encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page[Generation](data=_shown(connection, rows[:limit]), next_cursor=following)


def has_generations(connection: Connection, viewer: Viewer, name: str) -> bool:
    """Whether a set has any."""
    return connection.execute(_seen(viewer, name).limit(1)).first() is not None


def list_items(
    connection: Connection, run: RowMapping, state: str | None, limit: int, cursor: str | None
) -> Page[GeneratedQuestion]:
    """In the order in which they were chosen, near misses last; those that are still planned are left out."""
    wanted = _MADE.state != PLANNED if state is None else _MADE.state == state
    query = select(GENERATED).where(_MADE.generation_id == run["id"], wanted)
    if cursor is not None:
        query = query.where(_MADE.number > decode_cursor(cursor, int)[0])
    rows = connection.execute(query.order_by(_MADE.number).limit(limit + 1)).mappings().all()
    following = encode_cursor(rows[limit - 1]["number"]) if len(rows) > limit else None
    data = [_item(row, run["collection"]) for row in rows[:limit]]
    return Page[GeneratedQuestion](data=data, next_cursor=following)


def find_row(connection: Connection, viewer: Viewer, name: str, generation_id: str) -> RowMapping:
    """A run as it is stored; raises `GenerationNotFound`."""
    row = connection.execute(_seen(viewer, name).where(_RUN.id == generation_id)).mappings().one_or_none()
    if row is None:
        raise GenerationNotFound(generation_id, name)
    return row


def rows_in(connection: Connection, generation_id: str, states: Collection[str]) -> Sequence[RowMapping]:
    """What is in these states, in order."""
    query = select(GENERATED).where(_MADE.generation_id == generation_id, _MADE.state.in_(states))
    return connection.execute(query.order_by(_MADE.number)).mappings().all()


def count_kept(connection: Connection, generation_id: str, *, answerable: bool) -> int:
    """How many questions of a kind were kept."""
    which = (_MADE.generation_id == generation_id, _MADE.state.in_(KEPT), _MADE.answerable == answerable)
    return connection.execute(select(func.count()).select_from(GENERATED).where(*which)).scalar_one()


def is_kept(connection: Connection, generation_id: str, number: int) -> bool:
    """Whether a question is still there, to be reviewed or in a version."""
    which = (_MADE.generation_id == generation_id, _MADE.number == number, _MADE.state.in_(KEPT))
    return connection.execute(select(_MADE.number).where(*which)).first() is not None


def set_stale(connection: Connection, generation_id: str, document_id: str, reason: str) -> None:
    """What was made of a document that is gone or was changed goes with what it quoted, unless it is in a version."""
    which = (_MADE.generation_id == generation_id, _MADE.document_id == document_id, _MADE.state.in_(OPEN))
    gone = {"state": "stale", "reason": reason, "content": {}}
    connection.execute(update(GENERATED).where(*which).values(**gone))


def delete_planned(connection: Connection, generation_id: str) -> None:
    """Passages that nobody will ask about any more."""
    which = (_MADE.generation_id == generation_id, _MADE.state == PLANNED)
    connection.execute(delete(GENERATED).where(*which))


def kept_questions(connection: Connection, tenant: str, name: str) -> list[str]:
    """What runs of a set have made and nobody has refused."""
    runs = select(_RUN.id).where(_RUN.tenant == tenant, _RUN.question_set == name)
    query = select(_MADE.content).where(_MADE.generation_id.in_(runs), _MADE.state.in_(KEPT))
    return [row.content["question"] for row in connection.execute(query) if row.content.get("question")]


def last_chosen(connection: Connection, generation_id: str) -> tuple[str, int]:
    """The place of the last document whose passages are written down, and how many those were so far."""
    which = (_MADE.generation_id == generation_id, _MADE.number > FOUND)
    query = select(_MADE.number, _MADE.content).where(*which, _MADE.state == PLANNED)
    row = connection.execute(query.order_by(_MADE.number.desc()).limit(1)).first()
    newest = connection.execute(select(func.max(_MADE.number)).where(*which)).scalar_one()
    return ("" if row is None else row.content["place"]), (newest or FOUND) - FOUND


def chosen_texts(connection: Connection, generation_id: str) -> list[tuple[int, str, str]]:
    """Of the passages from which a run's are chosen the numbers, documents and texts."""
    which = (_MADE.generation_id == generation_id, _MADE.state == PLANNED)
    query = select(_MADE.number, _MADE.document_id, _MADE.content).where(*which).order_by(_MADE.number).limit(ROWS)
    texts: list[tuple[int, str, str]] = []
    last = FOUND
    while rows := connection.execute(query.where(_MADE.number > last)).all():
        texts += [(row.number, row.document_id, row.content["text"]) for row in rows]
        last = rows[-1].number
    return texts


def number_rows(connection: Connection, generation_id: str, numbers: Sequence[int]) -> None:
    """These are a run's passages, in this order, and the others go. One that went with its document meanwhile stays
    what it is."""
    for at, number in enumerate(numbers, start=1):
        which = (_MADE.generation_id == generation_id, _MADE.number == number)
        connection.execute(update(GENERATED).where(*which).values(number=at))
    rest = (_MADE.generation_id == generation_id, _MADE.number > FOUND)
    connection.execute(delete(GENERATED).where(*rest))


def add_rows(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Passages that are chosen, or near misses."""
    for at in range(0, len(rows), ROWS):
        connection.execute(insert(GENERATED), list(rows[at : at + ROWS]))


def set_row(
    connection: Connection, generation_id: str, number: int, values: Mapping[str, Any], states: Collection[str]
) -> bool:
    """Change one that is in one of these states; whether it was."""
    which = (_MADE.generation_id == generation_id, _MADE.number == number, _MADE.state.in_(states))
    changed = update(GENERATED).where(*which).values(**values).returning(_MADE.number)
    return connection.execute(changed).first() is not None


def mark(
    connection: Connection, generation_id: str, numbers: Iterable[int], values: Mapping[str, Any], state: str
) -> None:
    """Change those of these numbers that are in a state."""
    given = list(numbers)
    for at in range(0, len(given), ROWS):
        which = (_MADE.generation_id == generation_id, _MADE.number.in_(given[at : at + ROWS]), _MADE.state == state)
        connection.execute(update(GENERATED).where(*which).values(**values))


def mark_saved(
    connection: Connection, generation_id: str, saved: Mapping[int, Mapping[str, Any]], version: int
) -> None:
    """These, by number, are in a version of the set now. One that was corrected meanwhile is accepted still."""
    rows = rows_in(connection, generation_id, ("accepted",))
    numbers = [row["number"] for row in rows if row["content"] == saved.get(row["number"])]
    mark(connection, generation_id, numbers, {"state": "saved"}, "accepted")
    connection.execute(update(GENERATIONS).where(_RUN.id == generation_id).values(version=version))


def accept_all(connection: Connection, generation_id: str) -> None:
    """Accept what is still proposed."""
    proposed = (_MADE.generation_id == generation_id, _MADE.state == "proposed")
    connection.execute(update(GENERATED).where(*proposed).values(state="accepted"))


def delete_generation(connection: Connection, viewer: Viewer, name: str, generation_id: str) -> None:
    """One that has ended, with what it made; raises `GenerationNotFound` or `GenerationUnfinished`."""
    row = find_row(connection, viewer, name, generation_id)
    if row["status"] not in FINAL_GENERATION_STATUSES:
        raise GenerationUnfinished(generation_id)
    connection.execute(delete(GENERATED).where(_MADE.generation_id == generation_id))
    connection.execute(delete(GENERATIONS).where(_RUN.id == generation_id))


def delete_document(
    connection: Connection, tenant: str, collection: str, document_id: str | None, deleted_at: datetime | None = None
) -> None:
    """With a document, or all of a collection, goes what was made of it and is in no version, and of what is in one
    the passage. What began after it was `deleted_at` was made of another one."""
    runs = select(_RUN.id).where(_RUN.tenant == tenant, _RUN.collection == collection)
    if deleted_at is not None:
        runs = runs.where(_RUN.created_at <= deleted_at + CLOCKS_DIFFER)
    which: ColumnElement[bool] = _MADE.generation_id.in_(runs)
    if document_id is not None:
        which &= _MADE.document_id == document_id
    state = case((_MADE.state == PLANNED, "dropped"), else_="stale")
    gone = {"state": state, "reason": "document_deleted", "content": {}}
    connection.execute(update(GENERATED).where(which, _MADE.state.in_(OPEN)).values(**gone))
    for run in connection.execute(runs).scalars().all():
        _delete_passages(connection, which & (_MADE.generation_id == run) & (_MADE.state == "saved"))


def _delete_passages(connection: Connection, which: ColumnElement[bool]) -> None:
    """Of questions of one run; they stay. Those without one by now are not written again."""
    has_one = or_(*(_MADE.content[name].as_string().is_not(None) for name in PASSAGE))
    rows = connection.execute(select(_MADE.generation_id, _MADE.number, _MADE.content).where(which, has_one)).all()
    if not rows:
        return
    left = [
        {"of": row.generation_id, "at": row.number, "left": {k: v for k, v in row.content.items() if k not in PASSAGE}}
        for row in rows
    ]
    one = (_MADE.generation_id == bindparam("of"), _MADE.number == bindparam("at"))
    content = bindparam("left", type_=_MADE.content.type)
    connection.execute(update(GENERATED).where(*one).values(content=content), left)


def delete_of_set(connection: Connection, tenant: str, name: str) -> None:
    """With a set go its runs, with what they quote; what is at work finds its row gone."""
    _delete_runs(connection, (_RUN.tenant == tenant) & (_RUN.question_set == name))


def delete_tenant(connection: Connection, tenant: str) -> None:
    """Remove all that a tenant has; what is at work finds its row gone."""
    _delete_runs(connection, _RUN.tenant == tenant)


def _delete_runs(connection: Connection, which: ColumnElement[bool]) -> None:
    connection.execute(delete(GENERATED).where(_MADE.generation_id.in_(select(_RUN.id).where(which))))
    connection.execute(delete(GENERATIONS).where(which))


def _seen(viewer: Viewer, name: str) -> Select[Any]:
    query = select(GENERATIONS).where(_RUN.tenant == viewer.tenant, _RUN.question_set == name)
    return query.where(_RUN.grant_key_id == viewer.key_id) if viewer.limited else query


def _item(row: Mapping[str, Any] | RowMapping, collection: str) -> GeneratedQuestion:
    content = row["content"]
    span = content.get("span")
    about = {name: content[name] for name in ("question", "answers", "why", "like", "corrected") if name in content}
    return GeneratedQuestion.model_validate(
        {
            "number": row["number"],
            "state": row["state"],
            "made_by": row["made_by"],
            "answerable": row["answerable"],
            "reason": row["reason"],
            **about,
            "span": None if span is None else {**span, "collection": collection},
        }
    )


def _shown(connection: Connection, rows: Sequence[RowMapping]) -> list[Generation]:
    """With what came of their passages."""
    ids = [row["id"] for row in rows]
    columns = (_MADE.generation_id, _MADE.state, _MADE.made_by, _MADE.answerable, _MADE.reason)
    query = select(*columns, func.count().label("count")).where(_MADE.generation_id.in_(ids)).group_by(*columns)
    groups = connection.execute(query).mappings().all()
    return [_generation(row, [group for group in groups if group["generation_id"] == row["id"]]) for row in rows]


def _generation(row: RowMapping, groups: Sequence[RowMapping]) -> Generation:
    kept = [group for group in groups if group["state"] in KEPT]
    spent = Spent.model_validate(row["spent"]) if row["spent"] else None
    used = {} if spent is None else spent.model_dump(include={"prompt_tokens", "completion_tokens", "embedding_tokens"})
    return Generation.model_validate(
        {
            **row["wanted"],
            **row,
            **used,
            "passages": row["passages"] or 0,
            "kept": sum(group["count"] for group in kept if group["answerable"]),
            "kept_near_misses": sum(group["count"] for group in kept if not group["answerable"]),
            "made_by": _sums((group["made_by"], group) for group in kept if group["answerable"]),
            "states": _sums((group["state"], group) for group in groups if group["state"] != PLANNED),
            "dropped": _sums((group["reason"], group) for group in groups if group["state"] in ("dropped", "stale")),
            "cost_usd": None if spent is None or spent.cost_nano_usd is None else _usd(spent.cost_nano_usd),
            "budget_usd": None if row["budget_nano_usd"] is None else _usd(row["budget_nano_usd"]),
            "key_id": row["grant_key_id"],
        }
    )


def _sums(groups: Iterable[tuple[str, RowMapping]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, group in groups:
        sums[name] = sums.get(name, 0) + group["count"]
    return dict(sorted(sums.items()))


def _usd(nano: int) -> str:
    return f"{Decimal(nano) / NANO:f}"
