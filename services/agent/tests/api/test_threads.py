from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.api.client import Api, error


async def test_a_thread_keeps_what_its_maker_says_of_it(api: Api) -> None:
    made = await api.call("POST", "/v1/threads", {"metadata": {"user": "Zoë", "n": [1, None]}})
    assert (made.status_code, made.json()["messages"]) == (201, 0)
    shown = await api.call("GET", f"/v1/threads/{made.json()['id']}")
    assert shown.json() == made.json()
    assert shown.json()["metadata"] == {"user": "Zoë", "n": [1, None]}


async def test_a_repeated_call_with_its_key_makes_one_thread_a_key(api: Api) -> None:
    key = {"Idempotency-Key": "once"}
    first, again = [await api.call("POST", "/v1/threads", {}, headers=key) for _ in range(2)]
    other = await api.call("POST", "/v1/threads", {}, headers=key, key_id="key_2")
    assert first.json() == again.json() != other.json()
    mismatch = await api.call("POST", "/v1/threads", {"metadata": {"a": 1}}, headers=key)
    assert error(mismatch) == (409, "idempotency_mismatch")


async def test_threads_are_listed_newest_first_in_pages(api: Api) -> None:
    made = [await api.thread() for _ in range(3)]
    first = (await api.call("GET", "/v1/threads?limit=2")).json()
    rest = (await api.call("GET", f"/v1/threads?limit=2&cursor={first['next_cursor']}")).json()
    assert [one["id"] for page in (first, rest) for one in page["data"]] == made[::-1]
    assert rest["next_cursor"] is None


async def test_nobody_sees_another_tenant_s_thread_and_a_limited_key_only_its_own(api: Api) -> None:
    thread = await api.thread()
    strangers: list[dict[str, Any]] = [{"tenant": "other"}, {"key_id": "key_2", "collections": ("handbook",)}]
    for stranger in strangers:
        for method, path in (("GET", ""), ("GET", "/history"), ("DELETE", "")):
            answer = await api.call(method, f"/v1/threads/{thread}{path}", **stranger)
            assert error(answer) == (404, "thread_not_found"), (stranger, method, path)
        assert (await api.call("GET", "/v1/threads", **stranger)).json()["data"] == []
    assert (await api.call("GET", f"/v1/threads/{thread}", key_id="key_2")).status_code == 200


async def test_what_was_said_is_read_oldest_first_in_pages(api: Api) -> None:
    await api.bench.define()
    thread = await api.thread()
    await api.run(thread, "Hello?")
    assert (await api.call("GET", f"/v1/threads/{thread}/history")).json()["data"] == [], "the run has not ended"
    await api.bench.work()
    first = (await api.call("GET", f"/v1/threads/{thread}/history?limit=1")).json()
    rest = (await api.call("GET", f"/v1/threads/{thread}/history?cursor={first['next_cursor']}")).json()
    said = [(one["role"], one["content"]) for page in (first, rest) for one in page["data"]]
    assert said == [("user", "Hello?"), ("assistant", "Done.")]


async def test_a_deleted_thread_takes_its_runs_along_and_who_follows_one_is_told(api: Api) -> None:
    await api.bench.define()
    thread = await api.thread()
    run = await api.run(thread)
    with api.bench.agents.notifier.subscribe(run["id"]) as told:
        gone = await api.call("DELETE", f"/v1/threads/{thread}")
        assert await told.wait(60)
    assert (gone.status_code, gone.content) == (204, b"")
    for path in ("", "/history", "/runs", f"/runs/{run['id']}"):
        assert error(await api.call("GET", f"/v1/threads/{thread}{path}")) == (404, "thread_not_found")
    assert not await api.bench.work()


async def test_a_conversation_is_kept_renamed_and_read_by_a_key_that_may_only_chat(api: Api) -> None:
    chats = {"key_id": "key_chat", "scopes": ("chat",)}
    made = (await api.call("POST", "/v1/threads", {"metadata": {"title": "Leave"}}, **chats)).json()["id"]
    here = f"/v1/threads/{made}"
    answer = {"role": "assistant", "content": "Ten [1].", "annotations": [{"marker": "[1]"}], "groundwork": {"a": 1}}
    said = {"messages": [{"role": "user", "content": "How long?"}, answer]}
    added = await api.call("POST", f"{here}/messages", said, **chats)
    assert (added.status_code, added.json()["messages"]) == (201, 2)
    assert (await api.call("PATCH", here, {"metadata": {"title": "Time off"}}, **chats)).json()["metadata"] == {
        "title": "Time off"
    }
    read = (await api.call("GET", f"{here}/history", **chats)).json()["data"]
    assert [{name: message[name] for name in answer} for message in read[1:]] == [answer]
    assert [one["id"] for one in (await api.call("GET", "/v1/threads?mine=true", **chats)).json()["data"]] == [made]
    assert (await api.call("GET", "/v1/threads?mine=true")).json()["data"] == []
    assert (await api.call("DELETE", here, **chats)).status_code == 204


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": "x"},
        {"role": "user", "content": "a\0b"},
        {"role": "assistant", "content": "x", "annotations": [{"quote": "a\0b"}]},
        {"role": "assistant", "content": "x", "groundwork": {"a": "x" * 400_000}},
        {"role": "user"},
    ],
)
async def test_what_can_not_be_kept_is_refused(api: Api, message: dict[str, Any]) -> None:
    thread = await api.thread()
    assert (await api.call("POST", f"/v1/threads/{thread}/messages", {"messages": [message]})).status_code == 422
    assert (await api.call("POST", f"/v1/threads/{thread}/messages", {"messages": []})).status_code == 422


async def test_messages_that_are_sent_again_with_their_key_are_added_once(api: Api) -> None:
    thread, key = await api.thread(), {"Idempotency-Key": "once"}
    said = {"messages": [{"role": "user", "content": "How long?"}]}
    first, again = [await api.call("POST", f"/v1/threads/{thread}/messages", said, headers=key) for _ in range(2)]
    assert first.json() == again.json()
    assert (await api.call("GET", f"/v1/threads/{thread}")).json()["messages"] == 1


async def test_another_key_s_thread_is_read_and_not_changed(api: Api) -> None:
    thread = await api.thread()
    said = {"messages": [{"role": "user", "content": "How long?"}], "position": 0}
    for method, path, body in (("POST", "/messages", said), ("PATCH", "", {"metadata": {"title": "Mine"}})):
        answer = await api.call(method, f"/v1/threads/{thread}{path}", body, key_id="key_2")
        assert error(answer) == (404, "thread_not_found")
