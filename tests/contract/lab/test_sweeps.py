"""Sweeps through the gateway, as any client's calls: searched with their key's rights, and applied with them."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.contract.lab.test_evaluations import SECONDS, gateway
from tests.support.gateway.running import RunningGateway

__all__ = ["gateway"]
SCOPES = ["evaluations:write", "search", "documents"]
HIT = {"collection": "handbook", "revision": 1, "text": "t", "score": 1.0, "scores": {}, "start": 0, "end": 1}
WRONG, RIGHT = (
    {**HIT, "document_id": name, "chunk_id": name, "source": name, "title": name} for name in ("other", "leave")
)
BODY = {"collection": "handbook", "question_set": "policies", "settings": {"mode": ["dense", "sparse"]}}


async def _key(gateway: RunningGateway, *scopes: str, **more: Any) -> str:
    made = await gateway.new_key(scopes=list(scopes), **more)
    return str(made["secret"])


async def _saved(gateway: RunningGateway, key: str) -> None:
    items = [{"question": f"How long is leave number {n}?", "documents": ["leave"]} for n in range(40)]
    saved = await gateway.call("POST", "/v1/question-sets", key, json={"name": "policies", "items": items})
    assert saved.status in (200, 201), await saved.text()


async def _ended(gateway: RunningGateway, key: str, **more: Any) -> dict[str, Any]:
    made = await gateway.call("POST", "/v1/sweeps", key, json={**BODY, **more})
    assert made.status == 202, await made.text()
    path = f"/v1/sweeps/{(await made.json())['id']}"
    async with asyncio.timeout(SECONDS):
        while True:
            found: dict[str, Any] = await (await gateway.call("GET", path, key)).json()
            if found["status"] not in ("queued", "running"):
                return found
            await asyncio.sleep(0.1)


async def test_what_is_better_is_found_by_the_keys_searches_and_applied_by_its_right_to_change_the_collection(
    gateway: RunningGateway,
) -> None:
    key = await _key(gateway, *SCOPES)
    await _saved(gateway, key)
    gateway.seen.hits = [WRONG, RIGHT]
    gateway.seen.hits_by_mode = {"sparse": [RIGHT, WRONG]}
    found = await _ended(gateway, key)
    assert found["status"] == "completed", found["error"]
    assert [one["words"] for one in found["candidates"]] == ["hybrid", "dense", "sparse"]
    assert (found["confirmation"]["number"], found["may_apply"]) == (2, True)
    assert found["cost_usd"] is not None
    searched = [call for call in gateway.seen.calls if call["path"] == "/retriever/v1/search"]
    assert len(searched) == found["done"] == 3 * found["choose_questions"] + 2 * found["confirm_questions"]
    assert all(call["delegation"].bulk for call in searched), "they give way to people's"
    assert {(call["body"]["mode"], call["body"]["rerank"]) for call in searched} == {
        ("hybrid", False),
        ("dense", False),
        ("sparse", False),
    }
    path = f"/v1/sweeps/{found['id']}"
    reader = await _key(gateway, "evaluations:write", "search")
    refused = await gateway.call("POST", f"{path}/apply", reader)
    assert (refused.status, (await refused.json())["error"]["code"]) == (403, "missing_scope")
    assert gateway.seen.changes == {}
    applied = await gateway.call("POST", f"{path}/apply", key)
    assert applied.status == 200, await applied.text()
    assert gateway.seen.changes == {"handbook": {"mode": "sparse"}}
    reverted = await gateway.call("POST", f"{path}/revert", key)
    assert reverted.status == 200, await reverted.text()
    assert gateway.seen.changes == {"handbook": {"mode": "hybrid"}}


async def test_a_key_that_may_not_search_starts_none(gateway: RunningGateway) -> None:
    key = await _key(gateway, "evaluations:write")
    await _saved(gateway, key)
    refused = await gateway.call("POST", "/v1/sweeps", key, json=BODY)
    assert (refused.status, (await refused.json())["error"]["code"]) == (403, "missing_scope")


async def test_chunks_of_another_size_are_tried_in_an_index_of_their_own_and_applied_by_a_reindex(
    gateway: RunningGateway,
) -> None:
    key = await _key(gateway, *SCOPES)
    await _saved(gateway, key)
    gateway.seen.hits = [WRONG, RIGHT]
    gateway.seen.hits_by_generation = {2: [RIGHT, WRONG], 4: [RIGHT, WRONG]}
    refused = await gateway.call(
        "POST",
        "/v1/sweeps",
        await _key(gateway, "evaluations:write", "search"),
        json={**BODY, "settings": {"chunk_size": [100]}},
    )
    assert (refused.status, (await refused.json())["error"]["code"]) == (403, "missing_scope")
    found = await _ended(gateway, key, settings={"chunk_size": [100, 200]})
    assert found["status"] == "completed", found["error"]
    assert (found["confirmation"]["number"], found["may_apply"]) == (1, True)
    seen = gateway.seen
    assert list(seen.reindexes) == [f"{found['id']}.{n}" for n in (1, 2, 3)]
    assert {one["status"] for one in seen.reindexes.values()} == {"cancelled"}
    begun = [call for call in seen.calls if call["path"].endswith("/reindex")]
    assert [call["body"]["chunking"]["max_tokens"] for call in begun] == [100, 200, 100]
    assert all(call["body"]["switch"] is False for call in begun)
    assert all(call["headers"]["x-request-id"].startswith(f"{found['id']}.") for call in begun), "what it costs is its"
    searched = [call["body"].get("generation") for call in seen.calls if call["path"] == "/retriever/v1/search"]
    assert list(dict.fromkeys(searched)) == [None, 2, 3, 4]
    applied = await gateway.call("POST", f"/v1/sweeps/{found['id']}/apply", key)
    assert applied.status == 200, await applied.text()
    assert (await applied.json())["applied"]["job"] == "job_4"
    assert seen.changes["handbook"] == {"chunking": {"strategy": "auto", "max_tokens": 100, "overlap": 0}}
    reverted = await gateway.call("POST", f"/v1/sweeps/{found['id']}/revert", key)
    assert reverted.status == 200, await reverted.text()
    assert seen.changes["handbook"]["chunking"] == {"strategy": "auto", "overlap": 0}
