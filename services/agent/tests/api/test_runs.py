from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.api.client import GRANT, Api, error, events_of
from services.agent.tests.runs_bench import VIEWER

from agent.testing.scripted_agents import Turn, in_turn
from agent.threads import repository as threads


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


async def test_the_runs_of_all_threads_are_listed_for_those_who_see_them(api: Api, thread: str) -> None:
    await api.bench.define("other")
    mine = await api.run(thread)
    await api.bench.work()
    path = f"/v1/threads/{await api.thread()}/runs"
    theirs = (await api.call("POST", path, {"agent": "other", "input": "Do that."})).json()

    async def listed(query: str = "", **more: Any) -> list[str]:
        return [run["id"] for run in (await api.call("GET", f"/v1/runs{query}", **more)).json()["data"]]

    assert await listed() == [theirs["id"], mine["id"]]
    assert await listed("?agent=other") == [theirs["id"]]
    assert await listed("?status=completed") == [mine["id"]]
    assert await listed("?agent=other&status=completed") == []
    assert await listed(tenant="other") == []
    first = (await api.call("GET", "/v1/runs?limit=1")).json()
    assert await listed(f"?cursor={first['next_cursor']}") == [mine["id"]]
    assert error(await api.call("GET", "/v1/runs?status=lost"))[0] == 422


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
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/events", None),
        ("POST", "/cancel", None),
        ("POST", "/replay", {"after": 0}),
    ):
        answer = await api.call(method, f"/v1/threads/{other}/runs/{run['id']}{path}", body)
        assert error(answer) == (404, "run_not_found"), path


async def test_a_cancelled_run_ends_once_and_frees_its_thread(api: Api, thread: str) -> None:
    run = await api.run(thread)
    path = f"/v1/threads/{thread}/runs/{run['id']}/cancel"
    answers = [await api.call("POST", path) for _ in range(2)]
    assert [(one.status_code, one.json()["status"]) for one in answers] == [(202, "cancelled")] * 2
    assert answers[0].json() == answers[1].json()
    await api.run(thread)


async def test_a_run_that_is_cancelled_while_it_waits_is_told_for_its_record(api: Api, thread: str) -> None:
    call = Turn(calls=[("calculator", {"expression": "6*7"})])
    api.bench.model.script = in_turn(call)
    queued = await api.run(thread)
    await api.call("POST", f"/v1/threads/{thread}/runs/{queued['id']}/cancel")
    waiting = await api.run(thread)
    await api.bench.work()
    ended = [await api.call("POST", f"/v1/threads/{thread}/runs/{waiting['id']}/cancel") for _ in range(2)]
    await api.bench.agents.recorder.all_sent()
    told = {run.id: run.status for grant, run, _ in api.bench.tokens.recorded if grant == GRANT["Groundwork-Grant"]}
    assert told == {queued["id"]: "cancelled", waiting["id"]: "cancelled"}
    assert len(api.bench.tokens.recorded) == 2, "each once"
    assert ended[1].json()["status"] == "cancelled"


async def test_a_run_says_for_whom_it_is_and_so_does_a_replay_of_it(api: Api, thread: str) -> None:
    body = {"agent": "helper", "input": "Do it.", "user": "jane@acme.example"}
    run = (await api.call("POST", f"/v1/threads/{thread}/runs", body)).json()
    await api.bench.work()
    path = f"/v1/threads/{thread}/runs/{run['id']}"
    assert (await api.call("GET", path)).json()["user"] == run["user"] == "jane@acme.example"
    for given, user in ({}, "jane@acme.example"), ({"user": "bob"}, "bob"):
        replay = (await api.call("POST", f"{path}/replay", {"after": 0, **given})).json()
        assert replay["user"] == user
    for wrong in ("", "x" * 513, "a\0b", 5):
        assert error(await api.call("POST", f"{path}/replay", {"after": 0, "user": wrong}))[0] == 422


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


async def test_a_run_that_ended_is_replayed_on_a_thread_of_its_own_once_a_key(api: Api, thread: str) -> None:
    run = await api.run(thread)
    path = f"/v1/threads/{thread}/runs/{run['id']}/replay"
    assert error(await api.call("POST", path, {"after": 0})) == (409, "run_not_ended")
    await api.bench.work()
    assert error(await api.call("POST", path, {"after": 1})) == (400, "nothing_left_to_do")
    assert error(await api.call("POST", path, {"after": 2})) == (400, "step_not_found")
    key = {"Idempotency-Key": "once"}
    made = await api.call("POST", path, {"after": 0}, headers=key)
    assert (made.status_code, made.json()["status"]) == (202, "queued")
    assert made.json()["replayed_from"] == {"thread_id": thread, "run_id": run["id"], "after": 0}
    assert made.json()["thread_id"] != thread
    assert (await api.call("POST", path, {"after": 0}, headers=key)).json() == made.json()
    assert error(await api.call("POST", path, {"after": 0, "input": "x"}, headers=key))[0] == 409
    await api.bench.work()
    followed = await api.call("POST", path, {"after": 0, "stream": True}, headers=key)
    told = events_of(followed.text)
    assert (told[0][1], told[-1][1]) == ("run.queued", "run.completed")
    assert {data["run_id"] for _, _, data in told} == {made.json()["id"]}


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"tenant": "other"}, (404, "thread_not_found")),
        ({"key_id": "key_2", "collections": ("handbook",)}, (404, "thread_not_found")),
        ({"scopes": ("chat",)}, (403, "missing_scope")),
        ({"headers": {"Groundwork-Grant": ""}}, (400, "grant_missing")),
    ],
)
async def test_a_run_is_replayed_by_those_who_see_it_and_may_run_agents(
    api: Api, thread: str, more: dict[str, Any], refused: tuple[int, str]
) -> None:
    run = await api.run(thread)
    await api.bench.work()
    path = f"/v1/threads/{thread}/runs/{run['id']}/replay"
    assert error(await api.call("POST", path, {"after": 0}, **more)) == refused
    assert await _listed(api) == [run["id"]]


async def _listed(api: Api, query: str = "", **claims: Any) -> list[str]:
    """The ids of all pages of `/v1/runs`."""
    found, cursor = list[str](), ""
    while cursor is not None:
        page = (await api.call("GET", f"/v1/runs?limit=2{query}{cursor and '&cursor=' + cursor}", **claims)).json()
        assert len(page["data"]) <= 2
        found += [run["id"] for run in page["data"]]
        cursor = page["next_cursor"]
    return found


async def test_runs_are_listed_across_threads_newest_first_by_status_and_agent(api: Api, thread: str) -> None:
    await api.bench.define("other")
    first, second = await api.run(thread), await api.run(await api.thread())
    body = {"agent": "other", "input": "Do it."}
    third = (await api.call("POST", f"/v1/threads/{await api.thread()}/runs", body)).json()
    await api.bench.work()
    assert await _listed(api) == [third["id"], second["id"], first["id"]]
    assert await _listed(api, "&status=completed") == [first["id"]]
    assert await _listed(api, "&status=queued&agent=other") == [third["id"]]
    assert await _listed(api, "&agent=none") == []
    assert error(await api.call("GET", "/v1/runs?status=ready")) == (422, "invalid_body")


async def test_a_key_lists_the_runs_of_the_threads_that_it_sees_alone(api: Api, thread: str) -> None:
    run = await api.run(thread)
    limited = {"key_id": "key_2", "collections": ("handbook",)}
    own = await api.run(await api.thread(**limited), **limited)
    assert await _listed(api) == [own["id"], run["id"]]
    assert await _listed(api, **limited) == [own["id"]]
    assert await _listed(api, tenant="other") == []
    assert error(await api.call("GET", "/v1/runs", scopes=("chat",)))[0] == 403


async def test_a_page_of_runs_is_bounded_in_what_they_hold(
    api: Api, thread: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "PAGE_BYTES", 250)
    ids = []
    for length in (10, 400, 200, 200):
        ids.append((await api.run(thread, "x" * length))["id"])
        await api.bench.work()
    for path in ("/v1/runs", f"/v1/threads/{thread}/runs"):
        pages, cursor = list[list[str]](), ""
        while cursor is not None:
            page = (await api.call("GET", f"{path}{cursor and '?cursor=' + cursor}")).json()
            pages.append([run["id"] for run in page["data"]])
            cursor = page["next_cursor"]
        assert pages == [[ids[3]], [ids[2]], [ids[1]], [ids[0]]], path


async def test_runs_of_completions_are_not_listed_as_their_threads_are_not(api: Api, thread: str) -> None:
    async with api.bench.database.write() as connection:
        hidden = await threads.create_thread(connection, VIEWER, {}, api.bench.clock.now(), transient=True)
    await api.bench.start(thread=hidden.id)
    assert await _listed(api) == []
