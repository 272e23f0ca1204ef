"""Judges of monitors: the gateway's sample, judged by the lab with the right of the monitor's key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.agent.service import reserved, serving
from tests.support.gateway.peers import SAYS
from tests.support.gateway.running import RunningGateway, running_gateway

from gateway.limits.memory_limiter import MemoryLimiter
from gateway.monitors import judges
from gateway.storage.tables import usage
from lab.bootstrap import create_app
from lab.settings import LabSettings
from servicekit.core.clock import SystemClock

SCOPES = ["evaluations:read", "evaluations:write", "records:read", "chat"]
JUDGE = {"model": "slow", "sample_percent": "100"}
SECONDS = 120


@pytest.fixture
async def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningGateway]:
    monkeypatch.setattr(judges, "LOOK_SECONDS", 0.1)
    listener = reserved()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock()), lab_url=url) as running:
        settings = LabSettings(
            data_dir=tmp_path / "lab", delegation_public_key_file=tmp_path / "d.pub", gateway_url=running.plane_url
        )
        async with serving(create_app(settings), listener):
            yield running


async def _watched(gateway: RunningGateway, **more: Any) -> dict[str, Any]:
    """A key whose one answer is on record, and watched by a monitor with a judge."""
    made: dict[str, Any] = await gateway.new_key(scopes=SCOPES, records="full", **more)
    watched = {"name": "live", "judge": JUDGE}
    created = await gateway.call("POST", "/v1/monitors", made["secret"], json=watched)
    assert created.status == 201, await created.text()
    body = {"model": "echo", "messages": [{"role": "user", "content": "Hi"}]}
    assert (await gateway.call("POST", "/v1/chat/completions", made["secret"], json=body)).status == 200
    return made


async def _verdicts(gateway: RunningGateway, key: dict[str, Any], field: str) -> dict[str, Any]:
    """Once the field's number is above 0."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = await (await gateway.call("GET", "/v1/monitors/live", key["secret"])).json()
            if float(found["verdicts"][field] or 0):
                return dict(found["verdicts"])
            await asyncio.sleep(0.1)


async def test_an_answer_is_judged_by_the_key_beside_others_and_the_judges_calls_are_no_live_answers(
    gateway: RunningGateway,
) -> None:
    gateway.seen.script["slow"] = [SAYS + '{"reason": "It greets.", "right": true}']
    key = await _watched(gateway)
    found = await _verdicts(gateway, key, "right")
    assert (found["right"], found["wrong"], found["failed"], found["waits"]) == (1, 0, 0, False)
    asked = [call for call in gateway.seen.calls if call["peer"] == "inference" and call["delegation"].bulk]
    assert [call["delegation"].key_id for call in asked] == [key["id"]]
    records = await (await gateway.call("GET", "/v1/records", key["secret"])).json()
    assert [one["model"] for one in records["data"]] == ["echo"]
    await _verdicts(gateway, key, "cost_usd")  # the ledger is written beside it
    query = select(usage.c.request_id, usage.c.key_id).where(usage.c.model == "slow")
    async with gateway.deps.database.read() as connection:
        rows = (await connection.execute(query)).all()
    assert [row.key_id for row in rows] == [key["id"]]
    assert rows[0].request_id.startswith("mon_")


async def test_a_judge_that_says_no_verdict_is_counted_and_in_no_measure(gateway: RunningGateway) -> None:
    key = await _watched(gateway)
    assert (await _verdicts(gateway, key, "failed"))["error"] == "no_verdict", "'Hello there' is none"
    shown = await (await gateway.call("GET", "/v1/monitors/live", key["secret"])).json()
    assert shown["figures"]["judge_right"]["answers"] == 0


async def test_a_model_that_the_key_may_not_use_is_waited_for_and_named(gateway: RunningGateway) -> None:
    key = await _watched(gateway, models=["echo"])
    found = await _verdicts(gateway, key, "waits")
    assert (found["error"], found["failed"]) == ("model_not_found", 0)


async def test_a_judge_reads_words_and_so_needs_the_right_to_read_records(gateway: RunningGateway) -> None:
    key = await gateway.new_key(scopes=["evaluations:write", "chat"])
    watched = {"name": "live", "judge": JUDGE}
    refused = await gateway.call("POST", "/v1/monitors", key["secret"], json=watched)
    assert (refused.status, "records:read" in await refused.text()) == (403, True)
    for wrong in ({"judge": {"model": "rag:handbook"}}, {"metrics": {"judge_right": None}}):
        body = {"name": "live", **wrong}
        assert (await gateway.call("POST", "/v1/monitors", key["secret"], json=body)).status == 422
