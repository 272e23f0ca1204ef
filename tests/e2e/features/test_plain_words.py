"""Questions about the sample handbook as people type them, each with the answer that a sensible person would give."""

from __future__ import annotations

from typing import Any

import httpx2
from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection


def _ask(http: httpx2.Client, *said: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": text} for text in said]
    reply = http.post("/v1/chat/completions", json={"model": "rag:handbook", "messages": messages}, timeout=300)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def _content(answer: dict[str, Any]) -> str:
    return " ".join(str(answer["choices"][0]["message"]["content"]).split())


def _sources(answer: dict[str, Any]) -> set[str]:
    return {one["source"] for one in answer["choices"][0]["message"]["annotations"]}


def test_a_stolen_laptop_is_reported_and_where_is_said(http: httpx2.Client, handbook: Collection) -> None:
    answer = _ask(http, "what do I do if my laptop gets stolen")
    assert not answer["groundwork"]["abstained"]
    assert "4411" in _content(answer) or "within 2 hours" in _content(answer)


def test_only_what_was_asked_for_is_said(http: httpx2.Client, handbook: Collection) -> None:
    answer = _ask(http, "What is the deposit for borrowing a demo kit?")
    assert "EUR 300" in _content(answer)
    assert _sources(answer) == {"customer-faq.html"}


def test_a_follow_up_about_one_country_is_about_no_other(http: httpx2.Client, handbook: Collection) -> None:
    answer = _ask(http, "Up to what price per night can I book a hotel in Belgium?", "And in Denmark?")
    assert "EUR 175" in _content(answer)
    assert "Belgium" not in _content(answer)


def test_a_greeting_before_a_question_does_not_change_it(http: httpx2.Client, handbook: Collection) -> None:
    answer = _ask(http, "hi, how many days of leave do I get?")
    assert "27 days" in _content(answer)
    assert "leave-policy.md" in _sources(answer)


def test_a_document_is_summed_up_by_its_id(http: httpx2.Client, home: RunningHome, handbook: Collection) -> None:
    report = next(one for one in home.client.documents.list("handbook") if one.source.startswith("incident-report"))
    made = home.client.documents.summary("handbook", report.id, sentences=4)
    text = home.client.documents.text("handbook", report.id, revision=made.revision)
    assert len(made.annotations) == 4
    assert "Fieldbook accepted no readings" in " ".join(made.content.split())
    for one in made.annotations:
        assert text[one.start : one.end] == one.quote
    path = f"/v1/collections/handbook/documents/{report.id}/summary"
    assert http.post(path, json={"sentences": 99}).status_code == 422
    assert http.post(f"{path.replace(report.id, 'none')}", json={}).json()["error"]["code"] == "document_not_found"
