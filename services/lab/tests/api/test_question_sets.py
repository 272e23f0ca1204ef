from __future__ import annotations

from typing import Any

from prometheus_client import REGISTRY
from services.lab.tests.api.client import Api, error

SETS = "/v1/question-sets"
BODY = {"name": "policies", "items": [{"question": "How many days?", "answers": ["27"], "split": "test"}]}
READER, NONE = ("evaluations:read",), ("chat", "search", "agents:write", "admin")
TWO = {"format": "jsonl", "name": "two.jsonl", "text": '{"question": "One?"}\n{"question": "Two?"}'}


async def test_a_set_is_saved_shown_listed_and_deleted(api: Api) -> None:
    made = await api.call("POST", SETS, BODY)
    assert (made.status_code, made.json()["version"], made.json()["splits"]) == (201, 1, {"test": 1})
    again = await api.call("POST", SETS, BODY)
    assert (again.status_code, again.json()) == (200, made.json())
    file = {"name": "policies", "append": True, "file": TWO}
    assert (await api.call("POST", SETS, file)).json()["questions"] == 3
    assert (await api.call("GET", f"{SETS}/policies")).json()["version"] == 2
    assert (await api.call("GET", f"{SETS}/policies/versions/1")).json() == {**made.json(), "newest": 2}
    versions = (await api.call("GET", f"{SETS}/policies/versions")).json()["data"]
    assert [one["version"] for one in versions] == [2, 1]
    assert [one["name"] for one in (await api.call("GET", SETS)).json()["data"]] == ["policies"]
    items = (await api.call("GET", f"{SETS}/policies/versions/2/items?split=test")).json()["data"]
    assert [(one["question"], one["answers"]) for one in items] == [("How many days?", ["27"])]
    assert (await api.call("DELETE", f"{SETS}/policies/versions/1")).status_code == 204
    assert error(await api.call("GET", f"{SETS}/policies/versions/1")) == (404, "question_set_version_not_found")
    assert (await api.call("DELETE", f"{SETS}/policies")).status_code == 204
    assert error(await api.call("GET", f"{SETS}/policies")) == (404, "question_set_not_found")


async def test_reading_and_writing_have_scopes_of_their_own(api: Api) -> None:
    await api.call("POST", SETS, BODY)
    calls: list[tuple[str, str, Any]] = [
        ("POST", SETS, BODY),
        ("DELETE", f"{SETS}/policies/versions/1", None),
        ("DELETE", f"{SETS}/policies", None),
    ]
    for method, path, body in calls:
        assert error(await api.call(method, path, body, scopes=READER)) == (403, "missing_scope")
    for path in ("", "/policies", "/policies/versions", "/policies/versions/1", "/policies/versions/1/items"):
        assert (await api.call("GET", SETS + path, scopes=READER)).status_code == 200
        assert error(await api.call("GET", SETS + path, scopes=NONE)) == (403, "missing_scope")
    assert error(await api.call("GET", SETS, audience="agent")) == (401, "invalid_delegation")


async def test_a_limited_key_finds_only_what_it_made(api: Api) -> None:
    await api.call("POST", SETS, BODY)
    limits: tuple[dict[str, Any], ...] = ({"collections": ("handbook",)}, {"models": ("smollm2",)})
    for limit in limits:
        claims = {"key_id": "key_2", **limit}
        assert error(await api.call("GET", f"{SETS}/policies", **claims)) == (404, "question_set_not_found")
        assert error(await api.call("POST", SETS, BODY, **claims)) == (403, "question_set_not_yours")
        assert (await api.call("GET", SETS, **claims)).json()["data"] == []


async def test_what_can_not_be_saved_is_refused_in_words_and_counted(api: Api) -> None:
    def refused() -> float:
        return REGISTRY.get_sample_value("groundwork_lab_question_sets_saved_total", {"outcome": "refused"}) or 0

    before = refused()
    broken = {**TWO, "text": '{"question": "One?"}\n{'}
    answer = await api.call("POST", SETS, {"name": "policies", "file": broken})
    assert error(answer) == (400, "question_file_broken")
    assert "two.jsonl, line 2" in answer.json()["error"]["message"]
    same = {"name": "policies", "items": [BODY["items"][0], {"id": "x", "question": "how many days", "split": "train"}]}
    assert error(await api.call("POST", SETS, same)) == (400, "splits_leak")
    assert refused() == before + 2
    for body in (
        {"name": "policies"},
        {"name": "policies", "items": []},
        {**BODY, "file": TWO},
        {**BODY, "name": "My Set"},
        {"name": "policies", "items": [{"question": "x" * 40_000}]},
    ):
        assert error(await api.call("POST", SETS, body)) == (422, "invalid_body")
    assert error(await api.call("GET", f"{SETS}?cursor=x")) == (400, "invalid_cursor")
