from __future__ import annotations

import pytest

from agent.agents import definitions
from agent.errors import AgentNotFound, AgentNotYours, AgentUnreadable
from agent.threads.repository import Viewer
from contracts.agents.agents import AgentCreate
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

NOW = ManualClock().now()
OWN, OTHER = Viewer("acme", "key_1", limited=True), Viewer("acme", "key_2", limited=True)
OWN_ALL = Viewer("acme", "key_1")


def _agent(instructions: str) -> AgentCreate:
    return AgentCreate.model_validate({"name": "helper", "instructions": instructions})


async def test_each_change_is_a_version_and_all_of_them_are_kept(database: Database) -> None:
    async with database.write() as connection:
        made = [await definitions.create_agent(connection, "acme", _agent(text), NOW) for text in ("a", "a", "b")]
        assert [(agent.version, new) for agent, new in made] == [(1, True), (1, False), (2, True)]
        page = await definitions.list_versions(connection, "acme", "helper", 1, None)
        rest = await definitions.list_versions(connection, "acme", "helper", 1, page.next_cursor)
        assert [one.instructions for one in (*page.data, *rest.data)] == ["b", "a"]
        assert (await definitions.get_version(connection, "acme", "helper", 1)).instructions == "a"


async def test_a_limited_key_changes_and_reads_only_what_it_made(database: Database) -> None:
    async with database.write() as connection:
        agent, _ = await definitions.create_agent(connection, "acme", _agent("secret"), NOW, OWN)
        for act in (
            definitions.create_agent(connection, "acme", _agent("mine"), NOW, OTHER),
            definitions.delete_agent(connection, OTHER, "helper", NOW),
        ):
            with pytest.raises(AgentNotYours):
                await act
    assert definitions.visible_to(agent, OWN).instructions == "secret"
    assert (definitions.visible_to(agent, OTHER).withheld, definitions.visible_to(agent, OTHER).instructions) == (
        True,
        "",
    )


async def test_a_deleted_agent_is_gone_and_its_name_goes_on_counting(database: Database) -> None:
    async with database.write() as connection:
        await definitions.create_agent(connection, "acme", _agent("a"), NOW)
        await definitions.delete_agent(connection, OWN_ALL, "helper", NOW)
        with pytest.raises(AgentNotFound):
            await definitions.get_agent(connection, "acme", "helper")
        assert (await definitions.list_agents(connection, "acme", 10, None)).data == []
        again, _ = await definitions.create_agent(connection, "acme", _agent("a"), NOW)
        assert again.version == 2


def test_a_definition_that_another_release_wrote_names_its_field() -> None:
    with pytest.raises(AgentUnreadable, match="limits"):
        definitions.parse_definition({"limits": {"steps": 0}}, "helper", 3)
    with pytest.raises(AgentNotFound):
        definitions.parse_definition(None, "helper", 3)
