from __future__ import annotations

from typing import Any

from services.lab.tests.api.client import Api, error
from services.lab.tests.generation.asking import Bench

from lab.dependencies import Dependencies

SET = "/v1/question-sets/policies"
BODY: dict[str, Any] = {"collection": "handbook", "count": 4, "near_misses": 1}
READER = ("evaluations:read",)


async def _made(api: Api, opened: Dependencies) -> str:
    started = await api.call("POST", f"{SET}/generate", BODY, grant="grant")
    assert (started.status_code, started.json()["status"]) == (202, "queued")
    assert await Bench(opened).work()
    return f"{SET}/generations/{started.json()['id']}"


async def test_questions_are_made_listed_reviewed_and_saved(api: Api, opened: Dependencies) -> None:
    run = await _made(api, opened)
    shown = (await api.call("GET", run)).json()
    assert (shown["status"], shown["kept"], shown["kept_near_misses"]) == ("completed", 4, 1)
    assert [one["id"] for one in (await api.call("GET", f"{SET}/generations")).json()["data"]] == [shown["id"]]
    page = (await api.call("GET", f"{run}/items?state=proposed&limit=2")).json()
    rest = (await api.call("GET", f"{run}/items?state=proposed&cursor={page['next_cursor']}")).json()
    items = [*page["data"], *rest["data"]]
    assert len(items) == 5
    decisions = [{"number": items[0]["number"], "state": "rejected"}]
    reviewed = await api.call("POST", f"{run}/review", {"decisions": decisions, "accept_all": True})
    assert (reviewed.status_code, reviewed.json()["states"]["accepted"]) == (200, 4)
    saved = await api.call("POST", f"{run}/save", grant="grant")
    assert (saved.status_code, saved.json()["questions"]) == (201, 4)
    again = await api.call("POST", f"{run}/save", grant="grant")
    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert (await api.call("DELETE", run)).status_code == 204
    assert error(await api.call("GET", run)) == (404, "generation_not_found")
    assert (await api.call("GET", SET)).json()["questions"] == 4


async def test_reading_and_writing_have_scopes_of_their_own(api: Api, opened: Dependencies) -> None:
    run = await _made(api, opened)
    for path in (f"{SET}/generations", run, f"{run}/items"):
        assert (await api.call("GET", path, scopes=READER)).status_code == 200
        assert error(await api.call("GET", path, scopes=("chat",))) == (403, "missing_scope")
        assert (await api.call("GET", path, tenant="other")).json().get("data", []) == []
    calls: list[tuple[str, str, Any]] = [
        ("POST", f"{SET}/generate", BODY),
        ("POST", f"{run}/review", {"accept_all": True}),
        ("POST", f"{run}/save", None),
        ("POST", f"{run}/cancel", None),
        ("DELETE", run, None),
    ]
    for method, path, body in calls:
        assert error(await api.call(method, path, body, scopes=READER, grant="grant")) == (403, "missing_scope")


async def test_passages_are_shown_to_keys_that_may_read_documents(api: Api, opened: Dependencies) -> None:
    run = await _made(api, opened)
    for more, is_shown in (((), False), (("chat",), False), (("search",), True), (("documents",), True)):
        items = (await api.call("GET", f"{run}/items?state=proposed", scopes=(*READER, *more))).json()["data"]
        assert len(items) == 5
        assert all(item["question"] for item in items)
        assert {item["span"] is not None for item in items} == {is_shown}
        assert {item["why"] != "" for item in items} == {is_shown}


async def test_what_can_not_be_started_or_said_is_refused_in_words(api: Api, opened: Dependencies) -> None:
    assert error(await api.call("POST", f"{SET}/generate", BODY)) == (400, "grant_missing")
    bodies: tuple[dict[str, Any], ...] = (
        {},
        {**BODY, "collection": "No Such"},
        {**BODY, "count": 0},
        {**BODY, "count": 1001},
        {**BODY, "model": "search:handbook"},
        {**BODY, "budget_usd": "0"},
        {**BODY, "chunks": 3},
        {**BODY, "labels": [f"label{at}" for at in range(19)]},
    )
    for body in bodies:
        assert error(await api.call("POST", f"{SET}/generate", body, grant="grant")) == (422, "invalid_body")
    run = await _made(api, opened)
    number = (await api.call("GET", f"{run}/items")).json()["data"][0]["number"]
    reviews: tuple[dict[str, Any], ...] = (
        {},
        {"decisions": []},
        {"decisions": [{"number": number, "state": "saved"}]},
        {"decisions": [{"number": number, "state": "rejected", "question": "What?"}]},
        {"decisions": [{"number": number, "state": "accepted"}] * 2},
        {"decisions": [{"number": number, "state": "accepted", "question": " "}]},
    )
    for body in reviews:
        assert error(await api.call("POST", f"{run}/review", body)) == (422, "invalid_body")
    missing = {"decisions": [{"number": 99, "state": "accepted"}]}
    assert error(await api.call("POST", f"{run}/review", missing)) == (404, "generated_question_not_found")
    assert error(await api.call("POST", f"{run}/save", grant="grant")) == (409, "nothing_accepted")
    assert error(await api.call("POST", f"{run}/cancel")) == (409, "generation_finished")
    assert error(await api.call("GET", f"{run}/items?state=planned")) == (422, "invalid_body")


async def test_a_run_whose_answer_was_lost_is_started_once_for_a_set(api: Api) -> None:
    answers = [await api.call("POST", f"{SET}/generate", BODY, grant="grant", key="lost") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert len((await api.call("GET", f"{SET}/generations")).json()["data"]) == 1
    other = await api.call("POST", "/v1/question-sets/other/generate", BODY, grant="grant", key="lost")
    assert other.json()["id"] != answers[0].json()["id"]
