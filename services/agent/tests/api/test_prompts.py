from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from services.agent.tests.api.client import Api, error

from contracts.access.acts import ACT_HEADER

GREETING: dict[str, Any] = {
    "name": "greeting",
    "messages": [{"role": "system", "content": "Greet {{who}}."}],
    "variables": {"who": {}},
}
WRITER = ("agents:write",)
RELEASE = ("agents:write", "prompts:release")


def _saying(text: str, **more: Any) -> dict[str, Any]:
    return {**GREETING, "messages": [{"role": "system", "content": text}], **more}


async def _save(api: Api, *texts: str) -> list[tuple[int, int]]:
    answers = [await api.call("POST", "/v1/prompts", _saying(text)) for text in texts]
    return [(answer.status_code, answer.json()["version"]) for answer in answers]


async def _listed(api: Api, **claims: Any) -> list[Any]:
    """The prompts that do not ship."""
    data = (await api.call("GET", "/v1/prompts", **claims)).json()["data"]
    return [one for one in data if not one["packaged"]]


async def _move(api: Api, label: str, version: int, scopes: tuple[str, ...] = RELEASE) -> Any:
    return await api.call("PUT", f"/v1/prompts/greeting/labels/{label}", {"version": version}, scopes=scopes)


async def _says(api: Api, **asked: Any) -> tuple[int, str]:
    body = {"variables": {"who": "Ann"}, **asked}
    answer = (await api.call("POST", "/v1/prompts/greeting/render", body)).json()
    return answer["version"], answer["messages"][0]["content"]


async def test_the_same_content_makes_no_version_and_another_one_does_without_being_in_production(api: Api) -> None:
    assert await _save(api, "A", "A", "B", "A", "B") == [(201, 1), (200, 1), (201, 2), (200, 1), (200, 2)]
    assert await _says(api) == (1, "A")
    shown = (await api.call("GET", "/v1/prompts/greeting")).json()
    assert (shown["version"], shown["newest"]) == (1, 2)
    versions = (await api.call("GET", "/v1/prompts/greeting/versions")).json()["data"]
    assert [(one["version"], one["messages"][0]["content"]) for one in versions] == [(2, "B"), (1, "A")]


async def test_a_label_moves_and_back_in_one_call_each(api: Api) -> None:
    await _save(api, "A", "B")
    moved = (await _move(api, "production", 2)).json()
    assert moved["labels"] == [{"label": "production", "version": 2, "previous": 1}]
    assert await _says(api) == (2, "B")
    await _move(api, "production", moved["labels"][0]["previous"])
    assert await _says(api) == (1, "A")


async def test_who_moves_a_label_is_told_to_the_gateway_with_from_and_to(api: Api) -> None:
    await _save(api, "A", "B")

    def told(answer: Any) -> Any:
        return json.loads(answer.headers[ACT_HEADER])["detail"]

    assert told(await _move(api, "production", 2)) == {"label": "production", "from": 1, "to": 2}
    assert told(await _move(api, "production", 1)) == {"label": "production", "from": 2, "to": 1}
    labelled = await api.call("POST", "/v1/prompts", _saying("C", label="mine"))
    assert told(labelled) == {"label": "mine", "from": None, "to": 3}
    gone = await api.call("DELETE", "/v1/prompts/greeting/labels/mine")
    assert told(gone) == {"label": "mine", "from": 3, "to": None}
    for plain in (await _move(api, "production", 9), await api.call("POST", "/v1/prompts", _saying("D"))):
        assert ACT_HEADER not in plain.headers
    deleted = await api.call("DELETE", "/v1/prompts/greeting", scopes=RELEASE)
    assert json.loads(deleted.headers[ACT_HEADER])["action"] == "prompt.delete"


async def test_what_is_in_production_when_it_is_saved_is_told_to_the_gateway_as_from_nothing(api: Api) -> None:
    async def told(text: str, **more: Any) -> Any:
        said = (await api.call("POST", "/v1/prompts", _saying(text, **more), scopes=RELEASE)).headers.get(ACT_HEADER)
        return said and json.loads(said)["detail"]

    first = {"label": "production", "from": None, "to": 1}
    assert [await told("A"), await told("A"), await told("B")] == [first, None, None]
    await api.call("DELETE", "/v1/prompts/greeting", scopes=RELEASE)
    assert await told("A", label="production") == {**first, "to": 3}
    await api.call("DELETE", "/v1/prompts/greeting", scopes=RELEASE)
    assert await told("A", label="mine") == {**first, "to": 4, "also": "mine"}
    assert await told("C", label="production") == {"label": "production", "from": 4, "to": 5}


async def test_versions_are_named_by_number_by_label_and_as_the_newest(api: Api) -> None:
    await _save(api, "A", "B", "C")
    await _move(api, "candidate", 2)
    said = [await _says(api, **asked) for asked in ({"version": 3}, {"label": "candidate"}, {"label": "newest"}, {})]
    assert said == [(3, "C"), (2, "B"), (3, "C"), (1, "A")]
    listed = await _listed(api)
    assert [(one["name"], one["version"], [label["label"] for label in one["labels"]]) for one in listed] == [
        ("greeting", 1, ["production", "candidate"])
    ]
    assert "messages" not in listed[0]


async def test_a_protected_label_is_moved_only_with_its_scope_and_others_without(api: Api) -> None:
    await _save(api, "A", "B")
    assert error(await _move(api, "production", 2, WRITER)) == (403, "missing_scope")
    labelled = await api.call("POST", "/v1/prompts", _saying("C", label="production"), scopes=WRITER)
    assert error(labelled) == (403, "missing_scope")
    assert error(await api.call("DELETE", "/v1/prompts/greeting", scopes=WRITER)) == (403, "missing_scope")
    assert (await _move(api, "candidate", 2, WRITER)).status_code == 200
    assert await _says(api) == (1, "A")
    assert (await api.call("DELETE", "/v1/prompts/greeting/labels/candidate", scopes=WRITER)).status_code == 204
    assert (await api.call("DELETE", "/v1/prompts/greeting", scopes=RELEASE)).status_code == 204


async def test_a_deleted_version_has_no_label_and_gets_none_and_its_number_is_not_given_again(api: Api) -> None:
    await _save(api, "A", "B")
    await _move(api, "candidate", 2)
    for number in (1, 2):
        path = f"/v1/prompts/greeting/versions/{number}"
        assert error(await api.call("DELETE", path)) == (409, "prompt_version_in_use")
    await api.call("DELETE", "/v1/prompts/greeting/labels/candidate", scopes=RELEASE)
    assert (await api.call("DELETE", "/v1/prompts/greeting/versions/2")).status_code == 204
    assert error(await _move(api, "candidate", 2)) == (404, "prompt_version_not_found")
    assert "was deleted" in (await _move(api, "production", 2)).json()["error"]["message"]
    assert await _save(api, "B") == [(201, 3)]
    wrong = await api.call("POST", "/v1/prompts/greeting/render", {"label": "candidate"})
    assert error(wrong) == (404, "prompt_label_not_found")


async def test_a_prompt_that_is_made_again_goes_on_counting_and_has_the_new_version_in_production(api: Api) -> None:
    await _save(api, "A", "B")
    await _move(api, "candidate", 2)
    await api.call("DELETE", "/v1/prompts/greeting", scopes=RELEASE)
    assert error(await api.call("GET", "/v1/prompts/greeting")) == (404, "prompt_not_found")
    assert await _listed(api) == []
    assert await _save(api, "A") == [(201, 3)]
    shown = (await api.call("GET", "/v1/prompts/greeting")).json()
    assert shown["labels"] == [{"label": "production", "version": 3, "previous": None}]


@pytest.mark.parametrize(
    ("change", "refused", "param"),
    [
        ({"variables": {}}, (400, "invalid_prompt"), "messages.0.content"),
        ({"model": "gpt"}, (400, "invalid_prompt"), "model"),
        ({"model": "rag:handbook"}, (400, "invalid_prompt"), "model"),
        ({"output_schema": {"type": "nothing"}}, (400, "invalid_prompt"), "output_schema"),
        ({"messages": [{"role": "user", "content": "x" * 1_000_000}]}, (422, "invalid_body"), None),
        ({"variables": {f"v{n}": {} for n in range(10_000)}}, (422, "invalid_body"), None),
        ({"variables": {"who": {"type": "integer", "default": "x"}}}, (422, "invalid_body"), None),
        ({"messages": []}, (422, "invalid_body"), None),
        ({"tools": [{"type": "magic"}]}, (422, "invalid_body"), None),
        ({"label": "newest"}, (422, "invalid_body"), None),
        ({"label": "3"}, (422, "invalid_body"), None),
        ({"parameters": {"temprature": 1}}, (422, "invalid_body"), None),
    ],
)
async def test_a_prompt_that_could_not_be_used_is_not_saved(
    api: Api, change: dict[str, Any], refused: tuple[int, str], param: str | None
) -> None:
    answer = await api.call("POST", "/v1/prompts", {**GREETING, **change})
    assert error(answer) == refused
    assert param is None or answer.json()["error"]["param"] == param
    assert len(answer.text) < 5_000, "a bomb is not given back"
    assert await _listed(api) == []


async def test_variables_that_do_not_fit_and_labels_nobody_moves_are_refused(api: Api) -> None:
    await _save(api, "Greet {{who}}.")
    wrong = await api.call("POST", "/v1/prompts/greeting/render", {"variables": {"whom": "x"}})
    assert error(wrong) == (400, "invalid_variables")
    for said in ("'who' is missing", "'whom' is not one of them"):
        assert said in wrong.json()["error"]["message"]
    assert error(await _move(api, "newest", 1)) == (400, "label_reserved")
    kept = await api.call("DELETE", "/v1/prompts/greeting/labels/production", scopes=RELEASE)
    assert error(kept) == (409, "label_not_deletable")


async def test_a_number_that_no_version_can_have_is_refused(api: Api) -> None:
    await _save(api, "Greet {{who}}.")
    assert error(await _move(api, "production", 2**31)) == (422, "invalid_body")
    rendered = await api.call("POST", "/v1/prompts/greeting/render", {"version": 2**80})
    assert error(rendered) == (422, "invalid_body")


async def test_the_nearest_examples_are_shown_the_likest_last(
    api: Api,
) -> None:
    examples = [{"input": text, "output": text.upper()} for text in ("how many days of leave", "bread", "leave days")]
    await api.call("POST", "/v1/prompts", _saying("A", examples=examples, nearest=2))
    body = {"variables": {"who": "x"}, "question": "leave days"}
    shown = (await api.call("POST", "/v1/prompts/greeting/render", body)).json()
    assert [message["role"] for message in shown["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    assert shown["messages"][-1]["content"] == "LEAVE DAYS"
    assert shown["degraded"] == []


async def test_another_tenant_has_none_of_it_and_a_limited_key_no_texts_of_others(api: Api) -> None:
    await _save(api, "secret {{who}}")
    other: dict[str, Any] = {"tenant": "other"}
    for method, path, body in (
        ("GET", "/v1/prompts/greeting", None),
        ("GET", "/v1/prompts/greeting/versions/1", None),
        ("POST", "/v1/prompts/greeting/render", {"variables": {"who": "x"}}),
        ("PUT", "/v1/prompts/greeting/labels/mine", {"version": 1}),
        ("DELETE", "/v1/prompts/greeting", None),
    ):
        assert error(await api.call(method, path, body, **other)) == (404, "prompt_not_found")
    limited: dict[str, Any] = {"collections": ("handbook",), "key_id": "key_2"}
    seen = await api.call("GET", "/v1/prompts/greeting", **limited)
    assert (seen.json()["withheld"], seen.json()["variables"].keys(), "secret" in seen.text) == (True, {"who"}, False)
    (listed,) = await _listed(api, **limited)
    assert (listed["name"], listed["key_id"], listed["description"]) == ("greeting", None, "")
    (own,) = await _listed(api)
    assert own["key_id"] is not None
    filled = await api.call("POST", "/v1/prompts/greeting/fill", {"variables": {"who": "x"}}, **limited)
    assert filled.status_code == 200, "it may use it"
    for method, path, body in (
        ("POST", "/v1/prompts", _saying("mine")),
        ("DELETE", "/v1/prompts/greeting", None),
        ("PUT", "/v1/prompts/greeting/labels/mine", {"version": 1}),
        ("POST", "/v1/prompts/greeting/render", {"variables": {"who": "x"}}),
    ):
        scopes = {"scopes": RELEASE}
        assert error(await api.call(method, path, body, **limited, **scopes)) == (403, "prompt_not_yours")


async def test_of_saves_at_once_each_content_is_one_version(api: Api) -> None:
    texts = [f"Text {number % 5}" for number in range(20)]
    answers = await asyncio.gather(*(api.call("POST", "/v1/prompts", _saying(text)) for text in texts))
    versions = {text: {a.json()["version"] for t, a in zip(texts, answers, strict=True) if t == text} for text in texts}
    assert sorted(number for numbers in versions.values() for number in numbers) == [1, 2, 3, 4, 5]
