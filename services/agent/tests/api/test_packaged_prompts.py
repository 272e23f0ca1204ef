"""The prompts that ship: read, copied and replaced as any other."""

from __future__ import annotations

from typing import Any

from services.agent.tests.api.client import Api, error

from agent.answering.drafting.prompt import ANSWER_PROMPT
from agent.prompts.packaged import PACKAGED

NAME = "groundwork-answer"
RELEASE = ("agents:write", "prompts:release")
PATH = f"/v1/prompts/{NAME}"


async def _save(api: Api, text: str = "Be brief.", **claims: Any) -> Any:
    body = {"name": NAME, "messages": [{"role": "system", "content": text}]}
    return await api.call("POST", "/v1/prompts", body, **claims)


async def _used(api: Api, tenant: str = "acme") -> tuple[str, str]:
    prompt = await api.bench.opened.prompts.in_use(tenant, ANSWER_PROMPT)
    return prompt.version, prompt.system.template


async def test_they_are_listed_among_one_s_own_page_by_page_and_read_as_version_1(api: Api) -> None:
    for name in ("a", "groundwork", "h"):
        await api.call("POST", "/v1/prompts", {"name": name, "messages": [{"role": "system", "content": "x"}]})
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (
            await api.call("GET", f"/v1/prompts?limit=2&cursor={cursor}" if cursor else "/v1/prompts?limit=2")
        ).json()
        found += [one["name"] for one in page["data"]]
        assert len(page["data"]) <= 2
        cursor = page["next_cursor"]
    assert found == sorted(["a", "groundwork", "h", *PACKAGED])
    shown = (await api.call("GET", PATH)).json()
    assert (shown["version"], shown["newest"], shown["packaged"]) == (1, 1, True)
    assert "{{sources}}" in shown["messages"][1]["content"]
    assert (await api.call("GET", f"{PATH}/versions/1")).json() == shown
    assert (await api.call("GET", f"{PATH}/versions")).json()["data"] == [shown]
    assert error(await api.call("GET", f"{PATH}/versions/2")) == (404, "prompt_version_not_found")
    copied = await api.call("POST", "/v1/prompts", {**_content(shown), "name": "mine"})
    assert copied.status_code == 201


def _content(shown: dict[str, Any]) -> dict[str, Any]:
    return {field: shown[field] for field in ("description", "messages", "variables")}


async def test_one_is_replaced_by_a_label_and_is_back_by_a_rollback_or_a_deletion(api: Api) -> None:
    assert (await _used(api))[0] == ANSWER_PROMPT
    saved = (await _save(api)).json()
    assert (saved["version"], saved["packaged"], saved["labels"][0]["version"]) == (2, False, 1)
    assert (await _used(api))[0] == ANSWER_PROMPT, "saved is not released"
    move = f"{PATH}/labels/production"
    assert error(await api.call("PUT", move, {"version": 2}, scopes=("agents:write",))) == (403, "missing_scope")
    await api.call("PUT", move, {"version": 2}, scopes=RELEASE)
    version, system = await _used(api)
    assert (version, system.startswith("Be brief.")) == (f"{NAME}@2", True)
    assert (await _used(api, "other"))[0] == ANSWER_PROMPT, "another tenant's is as it ships"
    await api.call("PUT", move, {"version": 1}, scopes=RELEASE)
    assert (await _used(api))[0] == ANSWER_PROMPT
    await api.call("PUT", move, {"version": 2}, scopes=RELEASE)
    assert (await api.call("DELETE", PATH, scopes=RELEASE)).status_code == 204
    assert (await _used(api))[0] == ANSWER_PROMPT
    again = (await api.call("GET", PATH)).json()
    assert (again["version"], again["packaged"]) == (3, True), "no number is given twice"
    assert (await _save(api, "Be kind.")).json()["version"] == 4


async def test_what_ships_has_no_labels_to_move_and_is_not_deleted_and_a_limited_key_replaces_none(api: Api) -> None:
    for method, path, body in (
        ("DELETE", PATH, None),
        ("DELETE", f"{PATH}/versions/1", None),
        ("PUT", f"{PATH}/labels/mine", {"version": 1}),
        ("DELETE", f"{PATH}/labels/mine", None),
    ):
        assert error(await api.call(method, path, body, scopes=RELEASE)) == (409, "prompt_packaged")
    limited: dict[str, Any] = {"collections": ("handbook",), "key_id": "key_2"}
    shown = (await api.call("GET", PATH, **limited)).json()
    assert (shown["withheld"], bool(shown["messages"])) == (False, True), "it is no secret"
    assert error(await _save(api, **limited)) == (403, "prompt_not_yours")
    assert (await _used(api))[0] == ANSWER_PROMPT
