from __future__ import annotations

import httpx2

SHADOWS = "/v1/collections/handbook/shadows"


async def test_a_shadow_is_planned_begun_copied_and_flipped(client: httpx2.AsyncClient) -> None:
    wanted = {"language": "de"}
    assert (await client.post(f"{SHADOWS}/plan", json=wanted)).json()["recut"] is False
    shadow = (await client.post(SHADOWS, json={"key": "job", "wanted": wanted})).json()
    assert (shadow["state"], shadow["left"]) == ("building", 1)
    number = shadow["generation"]
    assert (await client.post(f"{SHADOWS}/{number}/copy")).json()["left"] == 0
    assert (await client.post(f"{SHADOWS}/{number}/flip")).json()["state"] == "active"
    assert (await client.get("/v1/collections/handbook")).json()["language"] == "de"
    assert (await client.post(f"{SHADOWS}/plan", json=wanted)).json()["error"]["code"] == "nothing_to_change"


async def test_an_abandoned_shadow_is_gone_for_good(client: httpx2.AsyncClient) -> None:
    begin = {"key": "job", "wanted": {"language": "de"}}
    number = (await client.post(SHADOWS, json=begin)).json()["generation"]
    assert (await client.delete(SHADOWS, params={"key": "job"})).status_code == 204
    assert (await client.post(SHADOWS, json=begin)).json()["state"] == "gone"
    assert (await client.post(f"{SHADOWS}/{number}/flip")).json()["state"] == "gone"
