from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.api.client import Api, error, events_of

from agent.testing.scripted_agents import Turn, in_turn


@pytest.fixture
async def thread(api: Api) -> str:
    await api.bench.define(tools=["calculator"], approval={"tools": ["calculator"]})
    return await api.thread()


async def test_a_run_is_queued_shown_and_listed(api: Api, thread: str) -> None:
    run = await api.run(thread)
    assert (run["status"], run["input"], run["usage"]["cost_usd"]) == ("queued", "Do it.", "0")
    await api.bench.work()
    shown = (await api.call("GET", f"/v1/threads/{thread}/runs/{run['id']}")).json()
    assert (shown["status"], shown["output"], shown["steps"]) == ("completed", "Done.", 1)
    assert (await api.call("GET", f"/v1/threads/{thread}/runs")).json() == {"data": [shown], "next_cursor": None}


@pytest.mark.parametrize(
    ("body", "more", "refused"),
    [
        ({"agent": "none", "input": "x"}, {}, (404, "agent_not_found")),
        ({"agent": "helper", "input": ""}, {}, (422, "invalid_body")),
        ({"agent": "helper", "input": "x"}, {"headers": {"Groundwork-Grant": ""}}, (400, "grant_missing")),
        ({"agent": "helper", "input": "x"}, {"tenant": "other"}, (404, "thread_not_found")),
    ],
)
async def test_what_can_not_be_run_is_refused_and_leaves_the_thread_free(
    api: Api, thread: str, body: dict[str, Any], more: dict[str, Any], refused: tuple[int, str]
) -> None:
    path = f"/v1/threads/{thread}/runs"
    assert error(await api.call("POST", path, body, **more)) == refused
    await api.run(thread)


async def test_a_thread_has_one_run_at_a_time_and_says_when_to_come_back(api: Api, thread: str) -> None:
    run = await api.run(thread)
    busy = await api.call("POST", f"/v1/threads/{thread}/runs", {"agent": "helper", "input": "More."})
    assert (error(busy), busy.headers["retry-after"]) == ((409, "thread_busy"), "2")
    assert run["id"] in busy.json()["error"]["message"]


async def test_a_repeated_call_with_its_key_is_the_same_run_and_may_ask_for_its_events(api: Api, thread: str) -> None:
    key = {"Idempotency-Key": "once"}
    run = await api.run(thread, headers=key)
    assert await api.run(thread, headers=key) == run
    await api.bench.work()
    body = {"agent": "helper", "input": "Do it.", "stream": True}
    followed = await api.call("POST", f"/v1/threads/{thread}/runs", body, headers=key)
    assert followed.headers["content-type"].startswith("text/event-stream")
    told = events_of(followed.text)
    assert (told[0][1], told[-1][1]) == ("run.queued", "run.completed")
    assert {data["run_id"] for _, _, data in told} == {run["id"]}


async def test_events_are_resumed_after_the_last_one_without_loss_or_repeat(api: Api, thread: str) -> None:
    run = await api.run(thread)
    await api.bench.work()
    path = f"/v1/threads/{thread}/runs/{run['id']}/events"
    whole = events_of((await api.call("GET", path)).text)
    assert [number for number, _, _ in whole] == [str(at + 1) for at in range(len(whole))]
    for last in ("", "0", "1", str(len(whole) - 1), str(len(whole)), "2147483647"):
        rest = events_of((await api.call("GET", path, headers={"Last-Event-ID": last})).text)
        assert rest == whole[min(int(last or 0), len(whole)) :], last


@pytest.mark.parametrize("last", ["-1", "1.5", "one", "2147483648", "9" * 20])
async def test_an_id_that_no_event_has_is_refused(api: Api, thread: str, last: str) -> None:
    run = await api.run(thread)
    path = f"/v1/threads/{thread}/runs/{run['id']}/events"
    assert error(await api.call("GET", path, headers={"Last-Event-ID": last})) == (400, "invalid_last_event_id")


async def test_a_run_is_found_on_its_own_thread_alone(api: Api, thread: str) -> None:
    run = await api.run(thread)
    other = await api.thread()
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
        answer = await api.call(method, f"/v1/threads/{other}/runs/{run['id']}{path}")
        assert error(answer) == (404, "run_not_found"), path


async def test_a_cancelled_run_ends_once_and_frees_its_thread(api: Api, thread: str) -> None:
    run = await api.run(thread)
    path = f"/v1/threads/{thread}/runs/{run['id']}/cancel"
    answers = [await api.call("POST", path) for _ in range(2)]
    assert [(one.status_code, one.json()["status"]) for one in answers] == [(202, "cancelled")] * 2
    assert answers[0].json() == answers[1].json()
    await api.run(thread)


async def test_a_person_decides_and_the_run_goes_on(api: Api, thread: str) -> None:
    api.bench.model.script = in_turn(Turn(calls=[("calculator", {"expression": "6*7"})]), "It is 42.")
    run = await api.run(thread)
    path = f"/v1/threads/{thread}/runs/{run['id']}"
    early = await api.call("POST", f"{path}/resume", {"decisions": [{"tool_call_id": "a", "action": "approve"}]})
    assert error(early) == (409, "run_not_waiting")
    await api.bench.work()
    (pending,) = (await api.call("GET", path)).json()["pending_tool_calls"]
    wrong = await api.call("POST", f"{path}/resume", {"decisions": [{"tool_call_id": "a", "action": "approve"}]})
    assert error(wrong) == (400, "decisions_dont_fit")
    decided = {"decisions": [{"tool_call_id": pending["id"], "action": "approve"}]}
    resumed = await api.call("POST", f"{path}/resume", decided)
    assert (resumed.status_code, resumed.json()["status"]) == (202, "queued")
    await api.bench.work()
    assert (await api.call("GET", path)).json()["output"] == "It is 42."
