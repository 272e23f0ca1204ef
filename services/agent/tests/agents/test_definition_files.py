from __future__ import annotations

from pathlib import Path

import pytest

from agent.agents import definition_files, definitions
from agent.agents.definition_files import AgentFileBroken
from agent.threads.repository import Viewer
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

HELPER = """
tenant: acme
instructions: Be brief.
tools: [calculator, {type: http_get, hosts: [api.example.org]}]
limits: {steps: 3, cost_usd: "0.5"}
approval: {tools: [http_get]}
"""


async def test_agents_come_from_files_and_each_change_of_a_file_is_a_version(
    database: Database, tmp_path: Path
) -> None:
    clock, file = ManualClock(), tmp_path / "helper.yaml"
    file.write_text(HELPER)
    assert await definition_files.save_agents(definition_files.read_folder(tmp_path), database, clock.now()) == 1
    assert await definition_files.save_agents(definition_files.read_folder(tmp_path), database, clock.now()) == 0
    file.write_text(HELPER.replace("brief", "wordy"))
    assert await definition_files.save_agents(definition_files.read_folder(tmp_path), database, clock.now()) == 1
    async with database.read() as connection:
        agent = await definitions.get_agent(connection, "acme", "helper")
        first = await definitions.get_version(connection, "acme", "helper", 1)
    assert (agent.version, agent.instructions, agent.limits.steps) == (2, "Be wordy.", 3)
    assert first.instructions == "Be brief."


async def test_a_file_that_has_not_changed_undoes_no_rollback_and_one_that_is_changed_back_does(
    database: Database, tmp_path: Path
) -> None:
    clock, file = ManualClock(), tmp_path / "helper.yaml"
    wordy = HELPER.replace("brief", "wordy")

    async def start(content: str) -> int:
        file.write_text(content)
        await definition_files.save_agents(definition_files.read_folder(tmp_path), database, clock.now())
        async with database.read() as connection:
            return (await definitions.get_agent(connection, "acme", "helper")).version

    assert [await start(HELPER), await start(wordy)] == [1, 2]
    async with database.write() as connection:
        await definitions.activate_version(connection, Viewer("acme", "key_1"), "helper", 1)
    assert [await start(wordy), await start(wordy)] == [1, 1]
    assert [await start(HELPER), await start(wordy)] == [1, 2], "a changed file is what is wanted now"
    async with database.write() as connection:
        await definitions.delete_agent(connection, Viewer("acme", "key_1"), "helper", clock.now())
    assert await start(wordy) == 3, "an agent that was deleted is made again"


@pytest.mark.parametrize("broken", ["[", "- a", "tools: [teleport]", "limits: {steps: many}", "colour: red"])
def test_a_broken_file_stops_the_start_and_names_itself(tmp_path: Path, broken: str) -> None:
    (tmp_path / "wrong.yaml").write_text(broken)
    with pytest.raises(AgentFileBroken, match=r"wrong\.yaml"):
        definition_files.read_folder(tmp_path)
