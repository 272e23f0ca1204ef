"""Agents: making a version, showing, listing, taking away. Versions are kept, since runs name them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import RowMapping, Select, and_, insert, select, update

from agent.agents.rights import check_rights
from agent.errors import AgentNotFound, AgentNotYours, AgentUnreadable, AgentVersionNotFound, AgentVersionReplaced
from agent.tables import AGENTS, VERSIONS
from agent.threads.repository import Viewer
from contracts.agents.agents import Agent, AgentCreate, AgentDefinition
from contracts.core.pages import Page
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.sql.transaction import Transaction
from servicekit.sql.upserts import insert_if_absent

_SAME_AGENT = and_(AGENTS.c.tenant == VERSIONS.c.tenant, AGENTS.c.name == VERSIONS.c.name)


async def create_agent(
    connection: Transaction, tenant: str, wanted: AgentCreate, now: datetime, by: Viewer | None = None
) -> tuple[Agent, bool]:
    """The agent with this definition, and whether that made a version; the same definition again makes none.

    It belongs to the key that made its newest version, to none if an operator's file did. Raises `AgentNotYours`, also
    of a name that was another's: its versions are kept.
    """
    definition = wanted.model_dump(mode="json", exclude={"name"})
    owner = {"key_id": by.key_id if by is not None else None}
    first = {"tenant": tenant, "name": wanted.name, "version": 1, "created_at": now, "deleted_at": None, **owner}
    if await insert_if_absent(connection, AGENTS, first, [AGENTS.c.tenant, AGENTS.c.name]):
        version = 1
    else:
        row = (await connection.execute(_current(tenant, wanted.name).with_for_update(of=AGENTS))).mappings().one()
        _require_own(row, by)
        if row["deleted_at"] is None and row["definition"] == definition:
            return _to_agent(row), False
        version = row["version"] + 1
        again = update(AGENTS).where(_named(tenant, wanted.name)).values(version=version, deleted_at=None, **owner)
        await connection.execute(again)
    new = {"tenant": tenant, "name": wanted.name, "version": version, "definition": definition, "created_at": now}
    await connection.execute(insert(VERSIONS).values(**new))
    return _to_agent((await connection.execute(_current(tenant, wanted.name))).mappings().one()), True


async def get_agent(connection: Transaction, tenant: str, name: str) -> Agent:
    """The agent as it is now; raises `AgentNotFound`."""
    query = _current(tenant, name).where(AGENTS.c.deleted_at.is_(None))
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise AgentNotFound(name)
    return _to_agent(row)


async def get_runnable_agent(connection: Transaction, viewer: Viewer, name: str) -> Agent:
    """The agent as it is now, which this key may run; raises `AgentNotFound`, or what the key has no right to."""
    agent = await get_agent(connection, viewer.tenant, name)
    if viewer.rights is not None:
        check_rights(agent, agent.name, viewer.rights)
    return agent


async def get_runnable_version(connection: Transaction, viewer: Viewer, name: str, number: int | None) -> int:
    """A version of the agent, by default the current one, that this key may run; raises what stands against it.

    One that was replaced may have been so for a reason, such as a call that is asked about now: it is run only by a key
    that may make it the current one again.
    """
    agent = await get_agent(connection, viewer.tenant, name)
    definition: AgentDefinition = agent
    if number is not None and number != agent.version:
        stored = await get_stored_definition(connection, viewer.tenant, name, number)
        if stored is None:
            raise AgentVersionNotFound(name, number, agent.version)
        is_writer = viewer.rights is None or "agents:write" in viewer.rights.scopes
        if not is_writer or (viewer.limited and agent.key_id != viewer.key_id):
            raise AgentVersionReplaced(name, number, agent.version)
        definition = parse_definition(stored, name, number)
    if viewer.rights is not None:
        check_rights(definition, name, viewer.rights)
    return number or agent.version


def visible_to(agent: Agent, viewer: Viewer) -> Agent:
    """The agent as this key sees it: one that is limited sees that others' agents are there, not what they hold."""
    if not viewer.limited or agent.key_id == viewer.key_id:
        return agent
    times = {"created_at": agent.created_at, "updated_at": agent.updated_at}
    return Agent(name=agent.name, version=agent.version, withheld=True, **times)


async def get_version(connection: Transaction, tenant: str, name: str, number: int) -> AgentDefinition:
    """One version, also of an agent that was deleted since; raises `AgentNotFound` or `AgentUnreadable`."""
    return parse_definition(await get_stored_definition(connection, tenant, name, number), name, number)


async def get_stored_definition(connection: Transaction, tenant: str, name: str, number: int) -> Any:
    """One version as the database has it, unread; None if there is none."""
    query = select(VERSIONS.c.definition).where(
        VERSIONS.c.tenant == tenant, VERSIONS.c.name == name, VERSIONS.c.version == number
    )
    return (await connection.execute(query)).scalar_one_or_none()


def parse_definition(found: Any, name: str, number: int) -> AgentDefinition:
    """A version that was `kept`; raises `AgentNotFound`, or `AgentUnreadable` where another release has written it."""
    if found is None:
        raise AgentNotFound(name)
    try:
        return AgentDefinition.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        raise AgentUnreadable(name, number, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


async def list_versions(connection: Transaction, tenant: str, name: str, limit: int, cursor: str | None) -> Page[Agent]:
    """All versions of an agent, newest first; raises `AgentNotFound`."""
    await get_agent(connection, tenant, name)
    query = _versions().where(VERSIONS.c.tenant == tenant, VERSIONS.c.name == name)
    if cursor is not None:
        query = query.where(VERSIONS.c.version < decode_cursor(cursor, int)[0])
    query = query.order_by(VERSIONS.c.version.desc()).limit(limit + 1)
    rows = (await connection.execute(query)).mappings().all()
    following = encode_cursor(rows[limit - 1]["number"]) if len(rows) > limit else None
    return Page[Agent](data=[_to_agent(row) for row in rows[:limit]], next_cursor=following)


async def list_agents(connection: Transaction, tenant: str, limit: int, cursor: str | None) -> Page[Agent]:
    """The tenant's agents by name."""
    query = _versions().where(
        AGENTS.c.tenant == tenant, AGENTS.c.deleted_at.is_(None), VERSIONS.c.version == AGENTS.c.version
    )
    if cursor is not None:
        query = query.where(AGENTS.c.name > decode_cursor(cursor, str)[0])
    rows = (await connection.execute(query.order_by(AGENTS.c.name).limit(limit + 1))).mappings().all()
    following = encode_cursor(rows[limit - 1]["name"]) if len(rows) > limit else None
    return Page[Agent](data=[_to_agent(row) for row in rows[:limit]], next_cursor=following)


async def delete_agent(connection: Transaction, viewer: Viewer, name: str, now: datetime) -> None:
    """No new runs; those under way go on with their version. Raises `AgentNotFound` or `AgentNotYours`."""
    tenant = viewer.tenant
    owner = select(AGENTS.c.key_id, AGENTS.c.name).where(_named(tenant, name), AGENTS.c.deleted_at.is_(None))
    row = (await connection.execute(owner.with_for_update())).mappings().one_or_none()
    if row is not None:
        _require_own(row, viewer)
    gone = (
        update(AGENTS)
        .where(_named(tenant, name), AGENTS.c.deleted_at.is_(None))
        .values(deleted_at=now)
        .returning(AGENTS.c.name)
    )
    if (await connection.execute(gone)).first() is None:
        raise AgentNotFound(name)


def _require_own(row: RowMapping, by: Viewer | None) -> None:
    if by is not None and by.limited and row["key_id"] != by.key_id:
        raise AgentNotYours(row["name"])


def _versions() -> Select[Any]:
    columns = (AGENTS.c.name, AGENTS.c.version, AGENTS.c.created_at, AGENTS.c.deleted_at, AGENTS.c.key_id)
    return select(
        *columns,
        VERSIONS.c.version.label("number"),
        VERSIONS.c.definition,
        VERSIONS.c.created_at.label("updated_at"),
    ).join(VERSIONS, _SAME_AGENT)


def _current(tenant: str, name: str) -> Select[Any]:
    return _versions().where(_named(tenant, name), VERSIONS.c.version == AGENTS.c.version)


def _named(tenant: str, name: str) -> Any:
    return and_(AGENTS.c.tenant == tenant, AGENTS.c.name == name)


def _to_agent(row: RowMapping) -> Agent:
    return Agent(
        name=row["name"],
        version=row["number"],
        key_id=row["key_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        **parse_definition(row["definition"], row["name"], row["number"]).model_dump(),
    )
