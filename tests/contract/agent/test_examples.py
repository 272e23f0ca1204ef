"""The example applications of `examples/agents` and `groundwork agent`, against the real gateway and agent service."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from examples.agents import approvals, budgets, cancel, replay
from tests.support.agent.running import RunningAgents, running_agents

from agent.testing.scripted_agents import Turn
from groundwork.client import Groundwork
from inference.engines.logits_processors import LogitsProcessors
from inference.requests.generation_request import GenerationRequest, Sampling
from inference.tool_calls.calls import read_tools

ACCOUNTANT = Path(__file__).parents[3] / "examples" / "agents" / "accountant.yaml"
ARGUMENTS = {
    "plan": {"steps": [{"step": "Find the rule.", "status": "open"}]},
    "calculator": {"expression": "3 * 140"},
    "current_time": {},
    "search_documents": {"query": "nights"},
    "read_document": {"collection": "handbook", "document_id": "travel"},
}
SUM = Turn("Let me see.", [("calculator", {"expression": "6*7"})])


@pytest.fixture
async def agents(tmp_path: Path) -> AsyncIterator[RunningAgents]:
    async with running_agents(tmp_path) as running:
        running.takes(SUM, "It is 42.")
        yield running


async def test_the_examples_show_what_they_say(agents: RunningAgents) -> None:
    with Groundwork(agents.gateway.url, agents.key) as client:
        for word in ("", "reject", '{"expression": "6*8"}'):
            assert await asyncio.to_thread(approvals.main, client, word) == "completed"
        events = await asyncio.to_thread(replay.main, client)
        assert events[-1].type == "run.completed"
        agents.takes(*(Turn(f"{n}.", [("calculator", {"expression": f"{n}*{n}"})]) for n in range(9)))
        ended = await asyncio.to_thread(budgets.main, client)
        assert (ended.status, ended.limit, ended.tool_calls) == ("limit_reached", "tool_calls", 1)
        agents.takes("Hello.")

        async def only_cancelled(_: object) -> None:
            agents.model.before = None
            await asyncio.Event().wait()

        agents.model.before = only_cancelled
        first, second = await asyncio.to_thread(cancel.main, client)
        assert (first.status, second.status) == ("cancelled", "completed")


async def test_the_command_saves_runs_and_replays_agents(agents: RunningAgents, tmp_path: Path) -> None:
    file = tmp_path / "helper.yaml"
    file.write_text("instructions: Compute.\ntools: [calculator]\napproval: {tools: [calculator]}\n")
    program = Path(sys.executable).parent / "groundwork"
    options = ("--base-url", agents.gateway.url, "--api-key", agents.key)

    async def command(*words: str) -> tuple[int, str, str]:
        pipe = asyncio.subprocess.PIPE
        piped = {"stdin": asyncio.subprocess.DEVNULL, "stdout": pipe, "stderr": pipe}
        process = await asyncio.create_subprocess_exec(program, *options, "agent", *words, **piped)
        out, notes = await process.communicate()
        return process.returncode or 0, out.decode(), notes.decode()

    assert (await command("save", str(file)))[:2] == (0, "helper version 1\n")
    assert (await command("list"))[1].split()[:3] == ["helper", "version", "1"]
    code, out, notes = await command("run", "helper", "What is 6*7?", "--approve")
    assert (code, out) == (0, "Let me see.\nIt is 42.\n")
    assert "completed: 2 steps, 1 tool calls" in notes
    thread, run = notes.split()[1], notes.split()[3]
    lines = [json.loads(line) for line in (await command("events", thread, run, "--after", "2"))[1].splitlines()]
    assert [line["id"] for line in lines] == list(range(3, 3 + len(lines)))
    assert "It is 42." in (await command("history", thread))[1]
    code, _, notes = await command("run", "helper", "What is 6*7?")
    assert code == 1
    assert "waits for approval" in notes


async def test_the_accountant_of_the_examples_runs_and_a_packaged_model_can_call_each_of_its_tools(
    agents: RunningAgents,
) -> None:
    """A schema that guided decoding can't follow would be refused by every model that inference runs itself."""
    agents.takes("Claims end at 120 a night.")
    with Groundwork(agents.gateway.url, agents.key) as client:
        await asyncio.to_thread(client.agents.save, "accountant", yaml.safe_load(ACCOUNTANT.read_text()))
        thread = await asyncio.to_thread(client.threads.create)
        run = await asyncio.to_thread(client.runs.start, thread.id, "accountant", "May I claim 3 nights at 140?")
        events = await asyncio.to_thread(lambda: list(client.runs.events(thread.id, run.id)))
    assert events[-1].type == "run.completed"
    tools = agents.model.requests[0].tools or []
    names = {"plan", "calculator", "current_time", "search_documents", "read_document"}
    assert {tool["function"]["name"] for tool in tools} == names
    for tool in tools:
        called = read_tools({"tools": [tool], "tool_choice": "required"})
        guide = LogitsProcessors.for_bytes().create(GenerationRequest((), None, 1, (), Sampling(), None, called))
        assert guide is not None
        written = json.dumps({"name": tool["function"]["name"], "arguments": ARGUMENTS[tool["function"]["name"]]})
        assert guide.fits(list(written.encode())), written
