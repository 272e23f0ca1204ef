"""The prompts that ship: read, copied and replaced as any other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from services.agent.tests.api.client import Api, error
from services.agent.tests.runs_bench import VIEWER

from agent.answering.drafting.prompt import ANSWER_PROMPT
from agent.prompts import repository
from agent.prompts.errors import PromptLabelNotFound, PromptNotFound, PromptRefused, PromptVersionNotFound
from agent.prompts.packaged import PACKAGED
from contracts.agents.prompts import PromptCreate
from servicekit.core.errors import ServiceError

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


async def test_a_version_is_tried_by_label_or_number_before_production_points_at_it(api: Api) -> None:
    get_named = api.bench.opened.prompts.get_named
    assert (await get_named("acme", f"{NAME}@1")).version == ANSWER_PROMPT, "as it ships, while there is no other"
    await _save(api)
    await api.call("PUT", f"{PATH}/labels/candidate", {"version": 2}, scopes=RELEASE)
    for which, version in (("@candidate", 2), ("@newest", 2), ("@2", 2)):
        tried = await get_named("acme", NAME + which)
        assert (tried.version, tried.system.template.startswith("Be brief.")) == (f"{NAME}@{version}", True)
    for which in ("", "@production", "@1"):
        assert (await get_named("acme", NAME + which)).version == ANSWER_PROMPT
    assert (await _used(api))[0] == ANSWER_PROMPT


@pytest.mark.parametrize(
    ("named", "wrong"),
    [
        (f"{NAME}@9", PromptVersionNotFound),
        (f"{NAME}@none", PromptLabelNotFound),
        (f"{NAME}@No label", PromptNotFound),
        ("groundwork-mine@1", PromptNotFound),
        ("groundwork-agent@1", PromptRefused),
    ],
)
async def test_a_version_that_can_t_be_tried_is_an_error_and_never_another_prompt(
    api: Api, named: str, wrong: type[ServiceError]
) -> None:
    with pytest.raises(wrong):
        await api.bench.opened.prompts.get_named("acme", named)


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


async def test_a_key_that_saved_one_before_it_was_limited_changes_it_no_more(api: Api) -> None:
    await _save(api, scopes=RELEASE)
    await _save(api, "Be kind.", scopes=RELEASE)
    await api.call("PUT", f"{PATH}/labels/mine", {"version": 3}, scopes=RELEASE)
    limited: dict[str, Any] = {"collections": ("handbook",), "scopes": (*RELEASE, "agents")}
    for method, path, body in (
        ("PUT", f"{PATH}/labels/production", {"version": 2}),
        ("PUT", f"{PATH}/labels/mine", {"version": 2}),
        ("DELETE", f"{PATH}/labels/mine", None),
        ("DELETE", f"{PATH}/versions/2", None),
        ("DELETE", PATH, None),
    ):
        assert error(await api.call(method, path, body, **limited)) == (403, "prompt_not_yours"), path
    assert error(await _save(api, "Be loud.", **limited)) == (403, "prompt_not_yours")
    kept = (await api.call("GET", PATH)).json()
    assert (kept["newest"], {one["label"]: one["version"] for one in kept["labels"]}) == (
        3,
        {"production": 1, "mine": 3},
    )


async def test_a_text_with_a_place_of_the_user_s_message_is_refused_and_named(api: Api) -> None:
    body = {"messages": [{"role": "system", "content": "Sum up {{title}}."}], "variables": {"title": {}}}
    refused = await api.call("POST", "/v1/prompts", {"name": "groundwork-summary", **body})
    assert error(refused) == (400, "invalid_prompt")
    assert "'{{title}}'" in refused.json()["error"]["message"]


async def test_a_version_that_could_not_be_asked_with_is_passed_over_for_what_ships(api: Api) -> None:
    messages = [{"role": "system", "content": "Tell of {{sources}}."}]
    earlier = PromptCreate.model_validate({"name": NAME, "messages": messages, "variables": {"sources": {}}})
    async with api.bench.opened.prompts.database.write() as connection:
        await repository.save_prompt(connection, VIEWER, earlier, datetime.now(UTC))
        await repository.move_label(connection, VIEWER, NAME, "production", 2)
    version, system = await _used(api)
    assert version == ANSWER_PROMPT
    assert "sources}" not in system
    with pytest.raises(PromptRefused, match="can't stand in the system text"):
        await api.bench.opened.prompts.get_named("acme", f"{NAME}@2")
