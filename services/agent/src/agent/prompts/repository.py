"""Prompts in SQL: versions by the machinery that agents use, and labels that point at them.

`production` is the active version; other labels are rows of their own. What a reference means is read in one statement.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import RowMapping, and_, delete, insert, select, update

from agent.prompts.errors import (
    LabelReserved,
    ProductionStays,
    PromptLabelNotFound,
    PromptNotFound,
    PromptNotYours,
    PromptShips,
    PromptUnreadable,
    PromptVersionInUse,
    PromptVersionNotFound,
)
from agent.prompts.packaged import PACKAGED, SHIPPED_AT, is_as_shipped, packaged_definition
from agent.tables import PROMPT_LABELS, PROMPT_VERSIONS, PROMPTS
from agent.threads.repository import Viewer
from agent.versions.repository import Rows, VersionRepository
from contracts.access.acts import Act
from contracts.agents.prompts import (
    NEWEST,
    PRODUCTION,
    Prompt,
    PromptCreate,
    PromptDefinition,
    PromptLabel,
    PromptReference,
    PromptSummary,
    PromptVariable,
)
from contracts.core.pages import Page
from contracts.core.validation import what_is_wrong
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.sql.transaction import Transaction

STORE = VersionRepository(
    PROMPTS,
    PROMPT_VERSIONS,
    PromptNotFound,
    PromptNotYours,
    lambda name, number, row: PromptVersionNotFound(name, number, row["newest"]),
)
LABELS = PROMPT_LABELS.c
Row = RowMapping | dict[str, Any]
"""Of a version as `VersionRepository` gives it, or of one that ships."""


async def save_prompt(
    connection: Transaction, viewer: Viewer, wanted: PromptCreate, now: datetime
) -> tuple[Prompt, bool, Act | None]:
    """The version with this content, whether it was made now, and with a `label`, that points at it, its move."""
    _require_unlimited(viewer, wanted.name)
    if wanted.name in PACKAGED:
        await _write_packaged(connection, viewer.tenant, wanted.name, now)
    definition = wanted.model_dump(mode="json", exclude={"name", "label"})
    row, new = await STORE.save(connection, viewer.tenant, wanted.name, definition, now, viewer, activate=False)
    moved = None if wanted.label is None else await _point(connection, row, wanted.label, row["number"])
    return await get_version(connection, viewer, wanted.name, row["number"]), new, moved


async def get_prompt(connection: Transaction, viewer: Viewer, name: str) -> Prompt:
    """The version in production."""
    return await _shown(connection, await _get(connection, viewer.tenant, name), viewer)


async def get_version(connection: Transaction, viewer: Viewer, name: str, number: int) -> Prompt:
    """One version."""
    return await _shown(connection, await _get_version(connection, viewer.tenant, name, number), viewer)


async def list_prompts(connection: Transaction, viewer: Viewer, limit: int, cursor: str | None) -> Page[PromptSummary]:
    """The tenant's prompts by name, without their texts."""
    found = await STORE.list_names(connection, viewer.tenant, limit, cursor)
    rows, following = await _with_packaged(connection, viewer.tenant, found, limit, cursor)
    labels = await _labels(connection, viewer.tenant, [row["name"] for row in rows])
    return Page[PromptSummary](data=[_summary(row, labels, viewer) for row in rows], next_cursor=following)


async def list_versions(
    connection: Transaction, viewer: Viewer, name: str, limit: int, cursor: str | None
) -> Page[Prompt]:
    """All versions, newest first."""
    shipped = await _shipped(connection, viewer.tenant, name)
    if shipped is not None:
        return Page[Prompt](data=[_prompt(shipped, [], viewer)], next_cursor=None)
    rows, following = await STORE.list_versions(connection, viewer.tenant, name, limit, cursor)
    labels = await _labels(connection, viewer.tenant, [name])
    return Page[Prompt](data=[_prompt(row, labels, viewer) for row in rows], next_cursor=following)


async def resolve(connection: Transaction, tenant: str, reference: PromptReference) -> tuple[int, PromptDefinition]:
    """The version that a reference means at this moment, and its content."""
    row = await _resolved(connection, tenant, reference)
    return row["number"], parse_definition(row)


async def get_stored(connection: Transaction, tenant: str, name: str, number: int) -> Any:
    """A version's content, unread, also of a prompt that was deleted or that ships and is not written; None if there is
    none."""
    found = await STORE.stored(connection, tenant, name, number)
    if found is None and (shipped := await _shipped(connection, tenant, name)) and shipped["number"] == number:
        return shipped["definition"]
    return found


async def move_label(connection: Transaction, viewer: Viewer, name: str, label: str, number: int) -> tuple[Prompt, Act]:
    """Have a label point at a version; raises `LabelReserved`, `PromptNotYours` or what is not there."""
    if label == NEWEST:
        raise LabelReserved(label)
    await _require_written(connection, viewer, name)
    row = await STORE.own(connection, viewer, name)
    if await STORE.stored(connection, viewer.tenant, name, number) is None:
        raise PromptVersionNotFound(name, number, row["newest"])
    moved = await _point(connection, row, label, number)
    return await get_version(connection, viewer, name, number), moved


async def delete_label(connection: Transaction, viewer: Viewer, name: str, label: str) -> Act:
    """Remove a label; the one in production stays."""
    if label == PRODUCTION:
        raise ProductionStays
    await _require_written(connection, viewer, name)
    await STORE.own(connection, viewer, name)
    gone = delete(PROMPT_LABELS).where(_of(viewer.tenant, name), LABELS.label == label).returning(LABELS.version)
    before = (await connection.execute(gone)).scalar_one_or_none()
    if before is None:
        raise PromptLabelNotFound(name, label)
    return _move(name, label, before, None)


async def delete_version(connection: Transaction, viewer: Viewer, name: str, number: int) -> None:
    """Remove a version that no label points at."""
    await _require_written(connection, viewer, name)
    row = await STORE.own(connection, viewer, name)
    pointing = [
        label.label for label in _all_labels(row, await _labels(connection, viewer.tenant, [name]))
        if label.version == number
    ]  # fmt: skip
    if pointing:
        raise PromptVersionInUse(name, number, pointing)
    await STORE.delete_version(connection, viewer, name, number)


async def delete_prompt(connection: Transaction, viewer: Viewer, name: str, now: datetime) -> None:
    """The prompt and its labels are gone, or again what ships; the numbers of its versions are not given again."""
    await _require_written(connection, viewer, name)
    await STORE.delete(connection, viewer, name, now)
    await connection.execute(delete(PROMPT_LABELS).where(_of(viewer.tenant, name)))


def parse_definition(row: Row) -> PromptDefinition:
    """A version's content; raises `PromptUnreadable` where another release has written it."""
    try:
        return PromptDefinition.model_validate(row["definition"])
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))}: {what_is_wrong(first)}"
        raise PromptUnreadable(row["name"], row["number"], why) from None


async def _resolved(connection: Transaction, tenant: str, reference: PromptReference) -> Row:
    name, label, number = reference
    if number is not None:
        return await _get_version(connection, tenant, name, number)
    if label in (None, PRODUCTION):
        return await _get(connection, tenant, name)
    shipped = await _shipped(connection, tenant, name)
    if shipped is not None and label == NEWEST:
        return shipped
    query = STORE.rows(tenant).where(PROMPTS.c.name == name, PROMPTS.c.deleted_at.is_(None))
    if label == NEWEST:
        query = query.order_by(PROMPT_VERSIONS.c.version.desc()).limit(1)
    else:
        same = and_(LABELS.tenant == PROMPTS.c.tenant, LABELS.name == PROMPTS.c.name)
        query = query.join(PROMPT_LABELS, same).where(
            LABELS.label == label, LABELS.version == PROMPT_VERSIONS.c.version
        )
    row: RowMapping | None = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        await _get(connection, tenant, name)
        raise PromptLabelNotFound(name, label or "")
    return row


async def _get(connection: Transaction, tenant: str, name: str) -> Row:
    try:
        return await STORE.get(connection, tenant, name)
    except PromptNotFound:
        return await _shipped(connection, tenant, name) or await STORE.get(connection, tenant, name)


async def _get_version(connection: Transaction, tenant: str, name: str, number: int) -> Row:
    shipped = await _shipped(connection, tenant, name)
    if shipped is None:
        return await STORE.get_version(connection, tenant, name, number)
    if number != shipped["number"]:
        raise PromptVersionNotFound(name, number, shipped["newest"])
    return shipped


async def _shipped(connection: Transaction, tenant: str, name: str) -> Row | None:
    """The row of a prompt that ships as long as the tenant has none of the name: as it would be written."""
    if name not in PACKAGED:
        return None
    query = select(PROMPTS.c.newest, PROMPTS.c.deleted_at).where(PROMPTS.c.tenant == tenant, PROMPTS.c.name == name)
    before = (await connection.execute(query)).one_or_none()
    if before is not None and before.deleted_at is None:
        return None
    return _as_row(tenant, name, before.newest + 1 if before is not None else 1)


def _as_row(tenant: str, name: str, number: int) -> Row:
    counts = {"version": number, "previous": None, "newest": number, "number": number, "key_id": None}
    definition = packaged_definition(name).model_dump(mode="json")
    times = {"created_at": SHIPPED_AT, "updated_at": SHIPPED_AT}
    return {"tenant": tenant, "name": name, "definition": definition, **counts, **times}


async def _with_packaged(
    connection: Transaction, tenant: str, found: Rows, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    """A page of names with those among them that ship and that the tenant has not written."""
    rows, following = found
    first = "" if cursor is None else str(decode_cursor(cursor, str)[0])
    last = rows[-1]["name"] if following else None
    names = [name for name in PACKAGED if name > first and (last is None or name < last)]
    shipped = [row for name in names if (row := await _shipped(connection, tenant, name)) is not None]
    merged = sorted([*rows, *shipped], key=lambda row: str(row["name"]))
    if len(merged) > limit:
        following = encode_cursor(merged[limit - 1]["name"])
    return merged[:limit], following


async def _write_packaged(connection: Transaction, tenant: str, name: str, now: datetime) -> None:
    """Make what ships a version of the tenant's, in production, unless the tenant has the name: what is saved then is
    the next one, and a rollback leads back."""
    if await _shipped(connection, tenant, name) is not None:
        definition = packaged_definition(name).model_dump(mode="json")
        await STORE.save(connection, tenant, name, definition, now, activate=False)


async def _require_written(connection: Transaction, viewer: Viewer, name: str) -> None:
    _require_unlimited(viewer, name)
    if await _shipped(connection, viewer.tenant, name) is not None:
        raise PromptShips(name)


def _require_unlimited(viewer: Viewer, name: str) -> None:
    """One that ships is the whole tenant's, also where a key has saved it before it was limited."""
    if viewer.limited and name in PACKAGED:
        raise PromptNotYours(name)


async def _point(connection: Transaction, row: RowMapping, label: str, number: int) -> Act:
    """Have a label point at a version of a name whose row is locked, or was made in this transaction."""
    if label == PRODUCTION:
        await STORE.point(connection, row, number)
        return _move(row["name"], label, row["version"], number)
    this = and_(_of(row["tenant"], row["name"]), LABELS.label == label)
    before = (await connection.execute(select(LABELS.version).where(this))).scalar_one_or_none()
    if before is None:
        new = {"tenant": row["tenant"], "name": row["name"], "label": label, "version": number}
        await connection.execute(insert(PROMPT_LABELS).values(**new))
    elif before != number:
        await connection.execute(update(PROMPT_LABELS).where(this).values(version=number, previous=before))
    return _move(row["name"], label, before, number)


def _move(name: str, label: str, before: int | None, after: int | None) -> Act:
    return Act(action="prompt.label", subject=name, detail={"label": label, "from": before, "to": after})


async def _labels(connection: Transaction, tenant: str, names: Iterable[str]) -> list[RowMapping]:
    query = select(PROMPT_LABELS).where(LABELS.tenant == tenant, LABELS.name.in_(list(names)))
    return list((await connection.execute(query.order_by(LABELS.label))).mappings().all())


def _all_labels(row: Row, labels: Iterable[RowMapping]) -> list[PromptLabel]:
    own = [PromptLabel.model_validate(dict(label)) for label in labels if label["name"] == row["name"]]
    return [PromptLabel(label=PRODUCTION, version=row["version"], previous=row["previous"]), *own]


async def _shown(connection: Transaction, row: Row, viewer: Viewer) -> Prompt:
    return _prompt(row, await _labels(connection, viewer.tenant, [row["name"]]), viewer)


def _prompt(row: Row, labels: Iterable[RowMapping], viewer: Viewer) -> Prompt:
    """A version as this key sees it: one that is limited sees of others' prompts only what it takes to use them."""
    definition = parse_definition(row)
    content: dict[str, Any] = definition.model_dump()
    withheld = _is_withheld(row, viewer)
    if withheld:
        content = {"variables": _without_texts(definition.variables), "messages": []}
    return Prompt(
        name=row["name"],
        version=row["number"],
        newest=row["newest"],
        labels=_all_labels(row, labels),
        key_id=None if withheld else row["key_id"],
        withheld=withheld,
        packaged=is_as_shipped(row["name"], definition),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        **content,
    )


def _is_withheld(row: Row, viewer: Viewer) -> bool:
    """What ships is no secret."""
    return viewer.limited and row["key_id"] != viewer.key_id and not is_as_shipped(row["name"], parse_definition(row))


def _without_texts(variables: dict[str, PromptVariable]) -> dict[str, PromptVariable]:
    """The same, with an empty text for a default: it says that there is one."""
    return {
        name: variable.model_copy(update={"default": ""}) if isinstance(variable.default, str) else variable
        for name, variable in variables.items()
    }


def _summary(row: Row, labels: Iterable[RowMapping], viewer: Viewer) -> PromptSummary:
    definition, withheld = parse_definition(row), _is_withheld(row, viewer)
    return PromptSummary(
        name=row["name"],
        description="" if withheld else definition.description,
        model="default" if withheld else definition.model,
        version=row["version"],
        newest=row["newest"],
        labels=_all_labels(row, labels),
        variables=_without_texts(definition.variables) if withheld else definition.variables,
        key_id=None if withheld else row["key_id"],
        packaged=is_as_shipped(row["name"], definition),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _of(tenant: str, name: str) -> Any:
    return and_(LABELS.tenant == tenant, LABELS.name == name)
