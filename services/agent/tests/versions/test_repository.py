from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.agents.definitions import STORE
from agent.errors import AgentNotFound, AgentNotYours, AgentVersionNotFound
from agent.threads.repository import Viewer
from servicekit.sql.database import Database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWN, OTHER = Viewer("acme", "key_1"), Viewer("acme", "key_2", limited=True)


async def _saved(database: Database, *contents: str, activate: bool = True) -> list[tuple[int, int, bool]]:
    """Of each save the version, the active one, and whether it was made."""
    found = []
    async with database.write() as connection:
        for content in contents:
            row, new = await STORE.save(
                connection, "acme", "helper", {"instructions": content}, NOW, OWN, activate=activate
            )
            found.append((row["number"], row["version"], new))
    return found


async def test_content_that_was_there_makes_no_version_and_is_active_again_if_that_is_asked(database: Database) -> None:
    assert await _saved(database, "a", "b", "a") == [(1, 1, True), (2, 2, True), (1, 1, False)]
    assert await _saved(database, "b", "c", activate=False) == [(2, 1, False), (3, 1, True)]


async def test_an_active_version_remembers_the_one_before(database: Database) -> None:
    await _saved(database, "a", "b", "c")
    async with database.write() as connection:
        row, _ = await STORE.activate(connection, OWN, "helper", 1)
        assert (row["number"], row["version"], row["previous"], row["newest"]) == (1, 1, 3, 3)
        row, before = await STORE.activate(connection, OWN, "helper", 1)
        assert (row["previous"], before) == (3, 1), "pointing where it points is no move"
        row, _ = await STORE.activate(connection, OWN, "helper", row["previous"])
        assert (row["version"], row["previous"]) == (3, 1)


async def test_numbers_are_not_given_again_after_a_deletion(database: Database) -> None:
    await _saved(database, "a", "b")
    async with database.write() as connection:
        await STORE.activate(connection, OWN, "helper", 1)
        await STORE.delete_version(connection, OWN, "helper", 2)
        with pytest.raises(AgentVersionNotFound):
            await STORE.activate(connection, OWN, "helper", 2)
        with pytest.raises(AgentVersionNotFound):
            await STORE.delete_version(connection, OWN, "helper", 2)
    assert await _saved(database, "b") == [(3, 3, True)]
    async with database.write() as connection:
        await STORE.delete(connection, OWN, "helper", NOW)
        with pytest.raises(AgentNotFound):
            await STORE.activate(connection, OWN, "helper", 1)
    assert await _saved(database, "a", activate=False) == [(4, 4, True)]


async def test_a_limited_key_moves_and_deletes_only_its_own(database: Database) -> None:
    await _saved(database, "a", "b")
    async with database.write() as connection:
        for attempt in (
            STORE.activate(connection, OTHER, "helper", 1),
            STORE.delete_version(connection, OTHER, "helper", 1),
            STORE.delete(connection, OTHER, "helper", NOW),
        ):
            with pytest.raises(AgentNotYours):
                await attempt
