"""Agents: making a version, showing, listing, taking away. Versions are kept, since runs name them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import RowMapping, select, update

from agent.agents.rights import check_rights
from agent.errors import AgentNotFound, AgentNotYours, AgentUnreadable, AgentVersionNotFound, AgentVersionReplaced
from agent.tables import AGENTS, VERSIONS
from agent.threads.repository import Viewer
from agent.versions.repository import Rows, VersionRepository, digest_of
from contracts.agents.agents import Agent, AgentCreate, AgentDefinition
from contracts.core.pages import Page
from contracts.core.validation import what_is_wrong
from servicekit.sql.transaction import Transaction

STORE = VersionRepository(
    AGENTS,
    VERSIONS,
    AgentNotFound,
    AgentNotYours,
    lambda name, number, row: AgentVersionNotFound(name, number, row["version"]),
)


async def create_agent(
    connection: Transaction, tenant: str, wanted: AgentCreate, now: datetime, by: Viewer | None = None
) -> tuple[Agent, bool]:
    """The agent with this definition, and whether that made a version; one that there was makes none.

    It belongs to the key that made its newest version, to none if an operator's file did. Raises `AgentNotYours`, also
    of a name that was another's: its versions are kept.
    """
    definition = wanted.model_dump(mode="json", exclude={"name"})
    row, new = await STORE.save(connection, tenant, wanted.name, definition, now, by)
    return _to_agent(row), new


async def apply_file(connection: Transaction, tenant: str, wanted: AgentCreate, now: datetime) -> tuple[Agent, bool]:
    """The agent of an operator's file, and whether that made a version.

    A file that holds what it did when it was last applied changes nothing: which version is the current one was perhaps
    decided since, and a rollback must not end with the next start. An agent that was deleted is made again.
    """
    digest = digest_of(wanted.model_dump(mode="json", exclude={"name"}, exclude_defaults=True))
    this = (AGENTS.c.tenant == tenant) & (AGENTS.c.name == wanted.name)
    applied = select(AGENTS.c.file_digest).where(this, AGENTS.c.deleted_at.is_(None)).with_for_update()
    if (await connection.execute(applied)).scalar_one_or_none() == digest:
        return await get_agent(connection, tenant, wanted.name), False
    agent, new = await create_agent(connection, tenant, wanted, now)
    await connection.execute(update(AGENTS).where(this).values(file_digest=digest))
    return agent, new


async def get_agent(connection: Transaction, tenant: str, name: str) -> Agent:
    """The agent as it is now; raises `AgentNotFound`."""
    return _to_agent(await STORE.get(connection, tenant, name))


async def get_current(connection: Transaction, tenant: str, name: str) -> int | None:
    """The number of the version that is the current one, which stays so until the end of the transaction; None if there
    is no such agent."""
    this = (AGENTS.c.tenant == tenant) & (AGENTS.c.name == name) & AGENTS.c.deleted_at.is_(None)
    number: int | None = (await connection.execute(select(AGENTS.c.version).where(this).with_for_update())).scalar()
    return number


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
    return await STORE.stored(connection, tenant, name, number)


def parse_definition(found: Any, name: str, number: int) -> AgentDefinition:
    """A version that was `kept`; raises `AgentNotFound`, or `AgentUnreadable` where another release has written it."""
    if found is None:
        raise AgentNotFound(name)
    try:
        return AgentDefinition.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        raise AgentUnreadable(name, number, f"{'.'.join(map(str, first['loc']))}: {what_is_wrong(first)}") from None


async def activate_version(connection: Transaction, viewer: Viewer, name: str, number: int) -> tuple[Agent, int]:
    """Make a version the current one, and which was so until now; raises `AgentNotFound`, `AgentNotYours`,
    `AgentVersionNotFound`, or what the key has no right to."""
    row, before = await STORE.activate(connection, viewer, name, number)
    agent = _to_agent(row)
    if viewer.rights is not None:
        check_rights(agent, name, viewer.rights)
    return agent, before


async def list_versions(connection: Transaction, tenant: str, name: str, limit: int, cursor: str | None) -> Page[Agent]:
    """All versions of an agent, newest first; raises `AgentNotFound`."""
    return _to_page(await STORE.list_versions(connection, tenant, name, limit, cursor))


async def list_agents(connection: Transaction, tenant: str, limit: int, cursor: str | None) -> Page[Agent]:
    """The tenant's agents by name."""
    return _to_page(await STORE.list_names(connection, tenant, limit, cursor))


async def delete_agent(connection: Transaction, viewer: Viewer, name: str, now: datetime) -> None:
    """No new runs; those under way go on with their version. Raises `AgentNotFound` or `AgentNotYours`."""
    await STORE.delete(connection, viewer, name, now)


def _to_page(found: Rows) -> Page[Agent]:
    rows, following = found
    return Page[Agent](data=[_to_agent(row) for row in rows], next_cursor=following)


def _to_agent(row: RowMapping) -> Agent:
    return Agent(
        name=row["name"],
        version=row["number"],
        current=row["version"],
        previous=row["previous"],
        key_id=row["key_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        **parse_definition(row["definition"], row["name"], row["number"]).model_dump(),
    )
