"""A database that has no page left: what was taken stays, answers go on, and what they leave comes later or is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tests.support.gateway import peers
from tests.support.gateway.running import DEADLINE_SECONDS, RunningGateway, eventually, running_gateway

from contracts.models.catalog import ModelPrice

LONG = "It is wrong. " * 300
"""More than a page of a database has."""


async def _fill(gateway: RunningGateway) -> None:
    """Leave the gateway's database no page, nor let it have another."""
    database = gateway.deps.database
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE filler (content BLOB)"))
    async with database.write() as connection:
        await connection.execute(text("PRAGMA max_page_count=1"))  # which is then as many as there are
    for size in (100_000, 4000, 500, 50):
        await _insert_until_full(gateway, size)


async def _insert_until_full(gateway: RunningGateway, size: int) -> None:
    with pytest.raises(OperationalError, match="full"):
        while True:
            async with gateway.deps.database.write() as connection:
                await connection.execute(text("INSERT INTO filler VALUES (zeroblob(:size))"), {"size": size})


async def _make_room(gateway: RunningGateway) -> None:
    async with gateway.deps.database.write() as connection:
        await connection.execute(text("PRAGMA max_page_count=1000000"))


async def _ask(gateway: RunningGateway, secret: str) -> str:
    body = {"model": "echo", "messages": [{"role": "user", "content": LONG}]}
    answer = await gateway.call("POST", "/v1/chat/completions", secret, json=body)
    assert answer.status == 200, await answer.text()
    return str((await answer.json())["id"])


async def _rate(gateway: RunningGateway, secret: str, answer_id: str, comment: str) -> tuple[int, dict[str, Any], str]:
    body = {"answer_id": answer_id, "rating": "down", "comment": comment}
    said = await gateway.call("POST", "/v1/feedback", secret, json=body)
    return said.status, await said.json(), said.headers.get("retry-after", "")


async def _feedback(gateway: RunningGateway, secret: str) -> list[tuple[str, str]]:
    listed = await gateway.call("GET", "/v1/feedback", secret)
    assert listed.status == 200, await listed.text()
    return [(one["answer_id"], one["comment"]) for one in (await listed.json())["data"]]


async def _is_paused(gateway: RunningGateway) -> bool:
    async with gateway.session.get(f"{gateway.metrics_url}/metrics") as metrics:
        return "groundwork_gateway_records_paused 1.0" in await metrics.text()


async def _until(holds: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await holds():  # noqa: ASYNC110  # what is waited for is asked of the gateway
            await asyncio.sleep(0.02)


async def _record_exists(gateway: RunningGateway, secret: str, answer_id: str) -> bool:
    return (await gateway.call("GET", f"/v1/records/{answer_id}", secret)).status == 200


async def test_in_a_full_database_nothing_taken_is_lost_and_answers_go_on_without_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = ModelPrice(prompt_usd_per_million=Decimal(0), completion_usd_per_million=Decimal(0))
    monkeypatch.setattr(peers, "PRICE", nothing)  # what costs money is not begun without a reservation on disk
    async with running_gateway(tmp_path) as gateway:
        made = await gateway.new_key(scopes=["chat", "feedback:write", "records:read"], records="full")
        key, ledger = made["secret"], gateway.deps.meter.ledger
        before = await _ask(gateway, key)
        await _until(lambda: _record_exists(gateway, key, before))
        assert (await _rate(gateway, key, before, "taken before"))[0] == 201
        await _fill(gateway)

        status, refused, come_back = await _rate(gateway, key, before, LONG)
        assert (status, refused["error"]["code"], come_back) == (503, "disk_full", "30")
        assert "disk is full" in refused["error"]["message"]
        assert await _feedback(gateway, key) == [(before, "taken before")], "as it was, not half changed"

        answers = [await _ask(gateway, key)]
        while not ledger.is_full:  # until not even a row of usage has room
            answers.append(await _ask(gateway, key))
        answers.append(await _ask(gateway, key))
        ready = await gateway.call("GET", "/readyz")
        assert ready.status == 200, "it answers"
        assert "the disk is full; answers go on, and leave no records" in await ready.text()
        assert await _is_paused(gateway)
        assert await _record_exists(gateway, key, before)

        await _make_room(gateway)
        await eventually(lambda: not ledger.is_full)
        assert len(await gateway.usage_rows(1 + len(answers), made["id"], "chat")) == 1 + len(answers)
        assert (await _rate(gateway, key, before, LONG))[0] == 200
        assert await _feedback(gateway, key) == [(before, LONG)]
        await _until(lambda: _records_again(gateway, key))


async def _records_again(gateway: RunningGateway, secret: str) -> bool:
    answer_id = await _ask(gateway, secret)
    await gateway.deps.recorder.all_written()
    return await _record_exists(gateway, secret, answer_id) and not await _is_paused(gateway)
