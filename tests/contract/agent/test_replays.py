"""Runs replayed through the public API."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.contract.agent.test_runs import HELPER, SUM, _charged, _thread, _until
from tests.support.agent.running import running_agents


@pytest.mark.asyncio
async def test_a_replay_goes_on_after_a_step_and_is_charged_for_what_is_new(tmp_path: Path) -> None:
    async with running_agents(tmp_path) as agents:
        agents.takes(SUM, "It is 42.")
        await agents.call("POST", "/v1/agents", 201, json=HELPER)
        thread = await _thread(agents)
        run = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json={"agent": "helper", "input": "6*7?"})
        path = f"/v1/threads/{thread}/runs/{run['id']}"
        run = await _until(agents, path, "completed")
        told = await agents.call("POST", f"{path}/replay", 400, json={"after": 3})
        assert (told["error"]["code"], told["error"]["param"]) == ("step_not_found", "after")
        headers = {"Idempotency-Key": "replayed"}
        body = {"after": 1, "input": "In words.", "agent_version": "current"}
        begun = await agents.call("POST", f"{path}/replay", 202, json=body, headers=headers)
        assert await agents.call("POST", f"{path}/replay", 202, json=body, headers=headers) == begun
        assert begun["replayed_from"] == {"thread_id": thread, "run_id": run["id"], "after": 1}
        again = await _until(agents, f"/v1/threads/{begun['thread_id']}/runs/{begun['id']}", "completed")
        assert (again["steps"], again["tool_calls"], again["usage"]["model_calls"]) == (1, 0, 1)
        await _charged(agents, again)
        history = (await agents.call("GET", f"/v1/threads/{begun['thread_id']}/history"))["data"]
        assert [said["content"] for said in history] == ["6*7?", "Let me see.", "42", "In words.", "It is 42."]
        assert len((await agents.call("GET", f"/v1/threads/{thread}/history"))["data"]) == 4
        assert await agents.call("GET", path) == run
