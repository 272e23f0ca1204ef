"""A monitor's judge in a running home: recorded answers are judged in the background, and people compared with it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2
import pytest
from tests.e2e.lab.test_evaluations import groundwork
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

from contracts.models.catalog import ModelDeclaration
from contracts.retrieval.collections import Collection

JUDGE, NAME = "strict", "judged-live"
SCOPES = ["chat", "search", "evaluations:write", "records:read", "records:write", "feedback:write"]
QUESTIONS = ("How many days of annual leave do I get?", "How long is parental leave?")


@pytest.fixture
def key(home: RunningHome, http: httpx2.Client) -> Iterator[str]:
    """Its answers are recorded with their words. The judge says right where it is shown passages."""
    said = [{"reason": "The passages say so.", "right": True}, {"reason": "Nothing says so.", "right": False}]
    rules = [{"when": when, "reply": json.dumps(each)} for when, each in zip(('"passages"', "."), said, strict=True)]
    declared = ModelDeclaration(kind="chat", engine="scripted", source={"rules": rules}, context_length=16_384)
    home.client.put_model(JUDGE, declared)
    home.client.put_model("parrot", ModelDeclaration(kind="chat", engine="scripted", source={}, context_length=4096))
    spec = {"name": NAME, "tenant": "default", "scopes": SCOPES, "records": "full"}
    made = http.post("/v1/keys", json=spec).raise_for_status().json()
    yield made["secret"]
    http.delete(f"/v1/keys/{made['id']}").raise_for_status()
    for model in (JUDGE, "parrot"):
        home.client.delete_model(model)


def test_recorded_answers_are_judged_by_their_passages_each_once_and_shown_with_peoples_ratings(
    home: RunningHome, handbook: Collection, key: str
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=home.base_url, headers=headers, timeout=120) as http:
        watched = {"name": NAME, "judge": {"model": JUDGE, "sample_percent": 100, "budget_usd": "1"}}
        http.post("/v1/monitors", json=watched).raise_for_status()
        answers = []
        for model in (f"rag:{handbook.name}", "parrot"):
            for question in QUESTIONS:
                body = {"model": model, "messages": [{"role": "user", "content": question}]}
                answers.append(http.post("/v1/chat/completions", json=body).raise_for_status().json())
        answered = [one for one in answers[:2] if not one["groundwork"]["abstained"]]
        assert answered, "the handbook says at least one"
        mine = {one["id"] for one in (*answered, *answers[2:])}
        liked = {"answer_id": answered[0]["id"], "rating": "up"}
        http.post("/v1/feedback", json=liked).raise_for_status()

        def judged() -> bool:
            found = http.get(f"/v1/monitors/{NAME}").json()["verdicts"]
            return bool(found["right"] >= len(answered) and found["wrong"] >= 2)

        until(judged, "the verdicts")
        shown = http.get(f"/v1/monitors/{NAME}").json()
        worst = http.get(f"/v1/monitors/{NAME}/worst", params={"metric": "judge_right"}).json()["data"]
        recorded = {one["id"] for one in http.get("/v1/records", params={"model": JUDGE}).json()["data"]}
        printed = groundwork(home, "monitor", "show", NAME)
        http.delete(f"/v1/monitors/{NAME}").raise_for_status()
    assert {one["id"] for one in answers[2:]} <= {one["record"] for one in worst}
    assert {one["reason"] for one in worst} == {"Nothing says so."}
    assert (shown["verdicts"]["failed"], shown["verdicts"]["waits"], recorded) == (0, False, set())
    assert shown["figures"]["judge_right"]["answers"] >= len(mine)
    rated = shown["verdicts"]["rated"]
    assert (rated["answers"], rated["agreed"], rated["enough"], rated["kappa"]) == (1, 1, False, None)
    assert "agrees with people on 1 of 1 answers that were rated, too few for κ" in " ".join(printed.stdout.split())
