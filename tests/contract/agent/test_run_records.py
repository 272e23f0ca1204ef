"""Runs on threads, which end after the call that began them, on record through the public API."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.agent.running import RunningAgents, running_agents

from agent.testing.scripted_agents import Turn
from contracts.agents.runs import FINAL_RUN_STATUSES

SUM = Turn("Let me see.", [("calculator", {"expression": "6*7"})])


async def test_a_run_on_a_thread_is_on_record_once_it_has_ended_and_rated_by_its_id(tmp_path: Path) -> None:
    async with running_agents(tmp_path) as agents:
        await agents.call("POST", "/v1/agents", 201, json={"name": "helper", "tools": ["calculator"]})
        await _check_records(agents)


async def _check_records(agents: RunningAgents) -> None:
    key = (await agents.gateway.new_key(scopes=["chat", "agents", "records:read"], records="full"))["secret"]

    async def run(wish: str) -> dict[str, Any]:
        agents.takes(SUM, "It is 42.")
        thread = (await agents.call("POST", "/v1/threads", 201, key=key, json={}))["id"]
        body = {"agent": "helper", "input": "Six times seven?"}
        path = f"/v1/threads/{thread}/runs"
        headers = {"X-Groundwork-Record": wish}
        started = await agents.call("POST", path, 202, key=key, json=body, headers=headers)
        return await _ended(agents, f"{path}/{started['id']}")

    left_out, kept = await run("no"), await run("yes")
    completion = {"model": "agent:helper", "messages": [{"role": "user", "content": "Six times seven?"}]}
    agents.takes(SUM, "It is 42.")
    said = await agents.call("POST", "/v1/chat/completions", key=key, json=completion)
    record = await agents.read_record(key, kept["id"])
    assert (record["question"], record["answer"], record["status"]) == ("Six times seven?", kept["output"], 200)
    assert record["model"] == f"agent:helper@{kept['agent_version']}"
    assert (record["report"]["thread_id"], record["report"]["tool_calls"]) == (kept["thread_id"], 1)
    assert record["receipt"]["tokens"]["prompt"] == kept["usage"]["prompt_tokens"] > 0
    assert Decimal(record["receipt"]["cost_usd"]) == Decimal(kept["usage"]["cost_usd"])
    assert [one["model"] for one in record["receipt"]["attempts"]] == ["turns", "turns"]
    rated = await agents.call("POST", "/v1/feedback", 201, key=key, json={"answer_id": kept["id"], "rating": "up"})
    assert rated["recorded"]
    await agents.read_record(key, said["id"])
    listed = (await agents.call("GET", "/v1/records", key=key))["data"]
    assert {one["id"] for one in listed} == {kept["id"], said["id"]}, "each once"
    assert left_out["status"] == "completed"


async def _ended(agents: RunningAgents, path: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            run: dict[str, Any] = await agents.call("GET", path)
            if run["status"] in FINAL_RUN_STATUSES:
                return run
            await asyncio.sleep(0.02)
