"""The client against the gateway with a real lab behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.support.agent.service import reserved, serving
from tests.support.gateway.running import RunningGateway, running_gateway

from gateway.limits.memory_limiter import MemoryLimiter
from groundwork.client import Groundwork
from groundwork.client.improvement.question_sets import question_file
from groundwork.errors import ApiError
from lab.bootstrap import create_app
from lab.settings import LabSettings
from servicekit.core.clock import SystemClock

T = TypeVar("T")
SCOPES = ["evaluations:read", "evaluations:write"]
LINES = (
    '{"question": "How many days?", "answers": ["27"], "documents": {"leave": 2}}\n'
    '{"question": "Two?", "split": "test"}\n'
)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    listener = reserved()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock()), lab_url=url) as running:
        settings = LabSettings(data_dir=tmp_path / "lab", delegation_public_key_file=tmp_path / "d.pub")
        async with serving(create_app(settings), listener):
            yield running


async def _by(gateway: RunningGateway, work: Callable[[Groundwork], T], **key: Any) -> T:
    made = await gateway.new_key(**{"scopes": SCOPES, **key})

    def with_client() -> T:
        with Groundwork(gateway.url, made["secret"]) as client:
            return work(client)

    return await asyncio.to_thread(with_client)


async def test_a_set_goes_from_a_file_through_the_gateway_and_back(gateway: RunningGateway) -> None:
    def work(client: Groundwork) -> None:
        sets = client.question_sets
        saved = sets.save("policies", question_file("jsonl", "q.jsonl", LINES), description="What people ask.")
        assert (saved.version, saved.questions, saved.splits) == (1, 2, {"test": 1})
        assert sets.save("policies", [{"question": "Three?"}], append=True).version == 2
        assert [one.question for one in sets.questions("policies")] == ["How many days?", "Two?", "Three?"]
        assert [one.question for one in sets.questions("policies", 1, split="test")] == ["Two?"]
        assert [one.version for one in sets.versions("policies")] == [2, 1]
        assert [(one.name, one.version) for one in sets.list()] == [("policies", 2)]
        sets.delete("policies", 1)
        sets.delete("policies")
        assert list(sets.list()) == []

    await _by(gateway, work)


async def test_the_places_of_what_is_wrong_arrive_at_the_caller(gateway: RunningGateway) -> None:
    def work(client: Groundwork) -> None:
        with pytest.raises(ApiError, match=r"q\.jsonl, line 3: this is not JSON") as broken:
            client.question_sets.save("policies", question_file("jsonl", "q.jsonl", LINES + "{"))
        assert (broken.value.status, broken.value.code) == (400, "question_file_broken")
        leak = [{"question": "One?", "split": "train"}, {"id": "x", "question": "one", "split": "test"}]
        with pytest.raises(ApiError, match="Splits would leak"):
            client.question_sets.save("policies", leak)
        saved = client.question_sets.save("policies", leak, skip_duplicates=True)
        assert [one.like for one in saved.skipped] == ["x"]

    await _by(gateway, work)


async def test_keys_need_the_scopes_and_see_what_is_theirs(gateway: RunningGateway) -> None:
    body = {"name": "policies", "items": [{"question": "One?"}]}
    reader = (await gateway.new_key(scopes=["evaluations:read"]))["secret"]
    chatter = (await gateway.new_key(scopes=["chat", "documents", "search"]))["secret"]
    stranger = (await gateway.new_key(scopes=SCOPES, tenant="other"))["secret"]
    narrow = (await gateway.new_key(scopes=SCOPES, collections=["handbook"]))["secret"]
    path = "/v1/question-sets/policies"
    assert (await gateway.call("POST", "/v1/question-sets", json=body)).status == 201, "the admin key may"
    assert (await gateway.call("POST", "/v1/question-sets", reader, json=body)).status == 403
    assert [(await gateway.call("GET", path, key)).status for key in (reader, chatter, stranger, narrow)] == [
        *(200, 403, 404, 404)
    ]
    assert (await gateway.call("DELETE", path, reader)).status == 403


async def test_what_changes_a_set_is_in_the_usage_ledger_and_without_a_lab_all_else_works(
    tmp_path: Path, gateway: RunningGateway
) -> None:
    await _by(gateway, lambda client: client.question_sets.save("policies", [{"question": "One?"}]))
    (row,) = await gateway.usage_rows(1, route="evaluations")
    assert (row["status"], row["prompt_tokens"]) == (201, 0)
    with reserved() as unused:
        away = f"http://127.0.0.1:{unused.getsockname()[1]}"
    folder = tmp_path / "second"
    folder.mkdir()
    async with running_gateway(folder, limiter=MemoryLimiter(SystemClock()), lab_url=away, restart_seconds=0) as other:
        ready = await other.session.get(f"{other.url}/readyz")
        parts = (await ready.json())["parts"]
        assert (ready.status, parts["lab"]["ok"]) == (200, True)
        assert "question sets" in parts["lab"]["detail"]
        assert (await other.call("GET", "/v1/question-sets")).status == 503
