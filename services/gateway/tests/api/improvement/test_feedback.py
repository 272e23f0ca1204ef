from __future__ import annotations

from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from services.gateway.tests.feedback.recorded import recorded
from services.gateway.tests.installation import Installation

from gateway.guardrails.screen import HEADER
from servicekit.core.clock import ManualClock

ANSWER = "chatcmpl_0123456789abcdef01234567"
REVIEWER = ["feedback:review"]


def _as(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def _give(public: httpx2.AsyncClient, secret: str, status: int = 201, **said: Any) -> dict[str, Any]:
    answer = await public.post("/v1/feedback", json={"answer_id": ANSWER, **said}, headers=_as(secret))
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def _list(public: httpx2.AsyncClient, secret: str, **asked: Any) -> list[dict[str, Any]]:
    answer = await public.get("/v1/feedback", params=asked, headers=_as(secret))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


@pytest.mark.parametrize("scope", ["chat", "agents", "feedback:write"])
async def test_whoever_may_ask_may_rate_an_answer_that_nobody_recorded(
    public: httpx2.AsyncClient, installation: Installation, scope: str
) -> None:
    secret = await installation.secret(scopes=[scope])
    given = await _give(public, secret, rating="up")
    assert (given["rating"], given["recorded"], given["model"], given["collections"]) == ("up", False, None, [])
    assert [one["id"] for one in await _list(public, secret)] == [given["id"]]


async def test_a_key_that_can_only_search_rates_nothing(public: httpx2.AsyncClient, installation: Installation) -> None:
    secret = await installation.secret(scopes=["search"])
    answer = await public.post("/v1/feedback", json={"answer_id": ANSWER, "rating": "up"}, headers=_as(secret))
    assert _code(answer) == (403, "missing_scope")


@pytest.mark.parametrize("call", ["GET feedback/export", "GET feedback?limit=x", "POST reviews", "POST reviews/next"])
async def test_a_key_without_the_right_hears_that_before_what_else_is_wrong(
    public: httpx2.AsyncClient, installation: Installation, call: str
) -> None:
    method, path = call.split()
    answer = await public.request(method, f"/v1/{path}", headers=_as(await installation.secret(scopes=["search"])))
    assert _code(answer) == (403, "missing_scope")


async def test_the_same_person_answer_and_part_again_replaces_and_another_part_or_person_does_not(
    public: httpx2.AsyncClient, installation: Installation, clock: ManualClock
) -> None:
    secret = await installation.secret()
    first = await _give(public, secret, rating="up", comment="Good.")
    clock.advance(5)
    again = await _give(public, secret, 200, rating=2, labels=["incorrect", "incorrect"])
    assert (again["id"], again["created_at"]) == (first["id"], first["created_at"])
    assert (again["rating"], again["labels"], again["comment"]) == (2, ["incorrect"], None)
    assert again["updated_at"] > first["updated_at"]
    await _give(public, secret, part={"citation": 0}, labels=["wrong_source"])
    await _give(public, secret, part={"sentence": 0}, correction="It is 20.")
    await _give(public, secret, user="jane", rating="down")
    assert len(await _list(public, secret)) == 4


async def test_what_is_known_of_a_recorded_answer_is_noted_with_its_rating(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    installation.answers.put("acme", recorded(ANSWER, "How many days?", "leave.md"))
    secret = await installation.secret()
    given = await _give(public, secret, rating="down")
    assert (given["recorded"], given["model"], given["prompt"], given["collections"]) == (
        True, "rag:hb", "answer@3", ["hb"],
    )  # fmt: skip
    body = {"answer_id": ANSWER, "part": {"citation": 1}, "labels": ["wrong_source"]}
    assert _code(await public.post("/v1/feedback", json=body, headers=_as(secret))) == (400, "citation_not_found")
    for asked, count in (({"collection": "hb"}, 1), ({"collection": "h"}, 0), ({"model": "rag:hb"}, 1)):
        assert len(await _list(public, secret, **asked)) == count, asked


async def test_who_sees_all_that_was_said_sees_of_which_question(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    installation.answers.put("acme", recorded(ANSWER, "How many days?" + "?" * 300))
    secret = await installation.secret()
    await _give(public, secret, rating="down")
    await _give(public, secret, answer_id="chatcmpl_never", rating="up")
    never, of_one = await _list(public, await installation.secret(scopes=["chat", *REVIEWER]))
    assert (never["question"], of_one["question"][:15], len(of_one["question"])) == (None, "How many days??", 200)
    limited = await installation.secret(collections=["open"], scopes=["chat", *REVIEWER])
    await _give(public, limited, rating="up")
    for key in (secret, limited):  # what it gave itself, of an answer that it may not have got
        assert {one["question"] for one in await _list(public, key)} == {None}


async def test_another_tenants_answer_is_rated_like_one_that_never_was_and_its_ratings_are_not_seen(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    installation.answers.put("acme", recorded(ANSWER, "How many days?", "leave.md"))
    theirs = await _give(public, await installation.secret(), rating="down", comment="Secret words.")
    stranger = await installation.secret(tenant="strangers", scopes=["chat", *REVIEWER])
    for answer_id in (ANSWER, "chatcmpl_never"):
        given = await _give(public, stranger, answer_id=answer_id, rating="up", part={"citation": 7})
        assert (given["recorded"], given["model"], given["prompt"], given["collections"]) == (False, None, None, [])
    assert {one["rating"] for one in await _list(public, stranger)} == {"up"}
    gone = await public.delete(f"/v1/feedback/{theirs['id']}", headers=_as(stranger))
    assert _code(gone) == (404, "feedback_not_found")
    deleted = await public.delete("/v1/feedback", params={"answer_id": ANSWER}, headers=_as(stranger))
    assert deleted.json() == {"deleted": 1}
    queued = await public.post("/v1/reviews", json={"answer_ids": [ANSWER]}, headers=_as(stranger))
    assert queued.json() == {"queued": 0, "unknown": [ANSWER]}


async def test_a_limited_key_learns_nothing_of_answers_that_it_did_not_get(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    installation.answers.put("acme", recorded(ANSWER, "How many days?", "leave.md"))
    await _give(public, await installation.secret(), rating="down")
    limited = await installation.secret(collections=["open"], scopes=["chat", *REVIEWER])
    assert (await _give(public, limited, rating="up"))["recorded"] is False
    assert [one["rating"] for one in await _list(public, limited)] == ["up"]
    for method, path in (("GET", "/v1/feedback/agreement"), ("DELETE", "/v1/feedback?user=x"), ("GET", "/v1/reviews")):
        assert _code(await public.request(method, path, headers=_as(limited))) == (403, "key_limited"), path


async def test_only_reviewers_see_and_delete_what_others_said(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    one, other = await installation.secret(), await installation.secret()
    given = await _give(public, one, user="jane", rating="up")
    await _give(public, other, rating="down")
    assert len(await _list(public, one)) == len(await _list(public, other)) == 1
    path = f"/v1/feedback/{given['id']}"
    assert _code(await public.delete(path, headers=_as(other))) == (404, "feedback_not_found")
    assert _code(await public.delete("/v1/feedback?user=jane", headers=_as(one))) == (403, "missing_scope")
    reviewer = await installation.secret(scopes=["chat", *REVIEWER])
    assert len(await _list(public, reviewer)) == 2
    assert await _list(public, reviewer, mine=True) == []
    assert [one["user"] for one in await _list(public, reviewer, rating="up")] == ["jane"]
    assert _code(await public.delete("/v1/feedback", headers=_as(reviewer))) == (400, "feedback_unnamed")
    assert (await public.delete("/v1/feedback?user=jane", headers=_as(reviewer))).json() == {"deleted": 1}
    assert (await public.delete(path, headers=_as(one))).status_code == 404


async def test_pages_hold_each_once_and_filters_are_kept(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    secret = await installation.secret(scopes=["chat", *REVIEWER])
    for number in range(5):
        await _give(public, secret, answer_id=f"a{number}", rating=number + 1, labels=["other"])
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": 2, "label": "other", **({"cursor": cursor} if cursor else {})}
        page = (await public.get("/v1/feedback", params=params, headers=_as(secret))).json()
        seen += [one["answer_id"] for one in page["data"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == ["a4", "a3", "a2", "a1", "a0"]
    assert [one["rating"] for one in await _list(public, secret, rating="up")] == [5, 4]
    assert [one["rating"] for one in await _list(public, secret, rating="3")] == [3]
    assert await _list(public, secret, label="wrong_source") == []
    assert await _list(public, secret, to="2001-01-01T00:00:00Z") == []


async def test_labels_are_a_closed_set_that_the_tenant_chooses(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    secret = await installation.secret()
    body = {"answer_id": ANSWER, "labels": ["rude"]}
    assert _code(await public.post("/v1/feedback", json=body, headers=_as(secret))) == (400, "unknown_label")
    admin = _as(await installation.secret(tenant="operators", scopes=["admin"]))
    changed = await public.patch("/v1/tenants/acme", json={"feedback_labels": ["rude"]}, headers=admin)
    assert changed.json()["feedback_labels"] == ["wrong_source", "rude"]
    assert (await _give(public, secret, labels=["rude"]))["labels"] == ["rude"]
    shown = await public.get("/v1/feedback/labels", headers=_as(secret))
    assert shown.json() == {"labels": ["wrong_source", "rude"]}
    await public.patch("/v1/tenants/acme", json={"feedback_labels": None}, headers=admin)
    assert "incorrect" in (await public.get("/v1/feedback/labels", headers=_as(secret))).json()["labels"]


@pytest.mark.parametrize(
    "said",
    [
        {}, {"rating": 0}, {"rating": 6}, {"rating": "5"}, {"rating": "sideways"}, {"rating": True}, {"labels": []},
        {"rating": "up", "part": {}}, {"rating": "up", "part": {"sentence": 0, "citation": 0}},
        {"rating": "up", "part": {"sentence": 1000}}, {"correction": "x", "part": {"citation": 0}},
        {"preferred_over": ANSWER}, {"rating": "up", "user": ""}, {"comment": "x" * 4001},
        {"rating": "up", "who": "me"},
        {"rating": "up", "answer_id": "../x"},
    ],
)  # fmt: skip
async def test_what_means_nothing_is_refused_and_says_why(
    public: httpx2.AsyncClient, installation: Installation, said: dict[str, Any]
) -> None:
    body = {"answer_id": ANSWER, **said}
    answer = await public.post("/v1/feedback", json=body, headers=_as(await installation.secret()))
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["message"]


async def test_nobody_speaks_in_the_name_of_another_key(public: httpx2.AsyncClient, installation: Installation) -> None:
    body = {"answer_id": ANSWER, "rating": "up", "user": "key_0123456789abcdef01234567"}
    answer = await public.post("/v1/feedback", json=body, headers=_as(await installation.secret()))
    assert _code(answer) == (400, "user_reserved")


async def test_words_are_masked_by_the_keys_guardrails_before_they_are_stored(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    secret = await installation.secret(guardrails={"input": {"pii": "redact"}})
    body = {"answer_id": ANSWER, "comment": "Ask jane.roe@acme.example.", "user": "joe@acme.example"}
    answer = await public.post("/v1/feedback", json=body, headers=_as(secret))
    assert answer.headers[HEADER] == "input.pii=redact:1"
    assert (answer.json()["comment"], answer.json()["user"]) == ("Ask *********************.", "joe@acme.example")


async def test_ratings_are_counted_by_model_prompt_and_collection_and_again_as_changes(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    installation.answers.put("acme", recorded(ANSWER, model="rag:counted", prompt="p@1", collections=("counted",)))
    secret = await installation.secret()

    def counted(rating: str, change: str) -> float | None:
        labels = {"rating": rating, "change": change, "model": "rag", "prompt": "p@1", "collection": "counted"}
        return REGISTRY.get_sample_value("groundwork_gateway_feedback_total", labels)

    await _give(public, secret, rating=5)
    await _give(public, secret, 200, rating="down")
    assert (counted("up", "given"), counted("down", "changed"), counted("down", "given")) == (1, 1, None)


async def test_ratings_count_for_the_keys_limit_of_requests(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    secret = await installation.secret(limits={"requests_per_minute": 1})
    await _give(public, secret, rating="up")
    answer = await public.post("/v1/feedback", json={"answer_id": "b", "rating": "up"}, headers=_as(secret))
    assert answer.status_code == 429
