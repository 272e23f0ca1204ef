"""Questions about the sample handbook as people type them, each with the answer that a sensible person would give."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest
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


@pytest.mark.parametrize(
    ("asked", "said", "source"),
    [
        ("who signs an order of 12,000 euro?", "Signature: Head of Operations", "supplier-policy.docx"),
        ("what does error E06 mean?", "Rain gauge blocked", "plover-ws3-manual.pdf"),
        ("warranty of a Bittern L4 water level sensor", "4 years", "warranty-and-returns.html"),
        ("Bittern L4 sensors warranty", "4 years", "warranty-and-returns.html"),
        ("How do I delete my account?", "Settings, Account, Close", "customer-faq.html"),
    ],
)
def test_a_plain_question_gets_the_line_that_answers_it(
    http: httpx2.Client, handbook: Collection, asked: str, said: str, source: str
) -> None:
    answer = _ask(http, asked)
    assert said in _content(answer)
    assert source in _sources(answer)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("what does the handbook say about parking?", "64 spaces"),
        ("is there anything on remote work from abroad?", "Working from countries outside this area is not permitted"),
        ("what does the policy say about gifts from suppliers", "no gifts from suppliers"),
    ],
)
def test_who_asks_what_is_said_of_a_topic_gets_what_is_said(
    http: httpx2.Client, handbook: Collection, asked: str, said: str
) -> None:
    assert said in _content(_ask(http, asked))


def test_a_topic_of_which_nothing_is_said_has_no_answer(http: httpx2.Client, handbook: Collection) -> None:
    assert _ask(http, "what does the handbook say about dental insurance?")["groundwork"]["abstained"]


def test_an_error_code_brings_the_row_of_no_other_code(http: httpx2.Client, handbook: Collection) -> None:
    content = _content(_ask(http, "what does error E06 mean?"))
    assert not re.search(r"\bE(?!06)\d\d\b", content)


def test_an_amount_brings_the_row_in_whose_range_it_lies_alone(http: httpx2.Client, handbook: Collection) -> None:
    content = _content(_ask(http, "who signs an order of 12,000 euro?"))
    assert "Value of the order: up to EUR 50,000; Signature: Head of Operations" in content
    assert "Finance Director" not in content


def test_a_code_that_is_in_no_document_has_no_answer(http: httpx2.Client, handbook: Collection) -> None:
    assert _ask(http, "what does error E31 mean?")["groundwork"]["abstained"]


def test_who_asks_how_hears_of_no_person(http: httpx2.Client, handbook: Collection) -> None:
    assert "Carvalho" not in _content(_ask(http, "How do I delete my account?"))


@pytest.mark.parametrize("asked", ["Can you help me?", "Hello, please see my other message.", "I have a question"])
def test_a_message_that_asks_nothing_yet_hears_what_can_be_asked(
    http: httpx2.Client, handbook: Collection, asked: str
) -> None:
    answer = _ask(http, asked)
    assert "I answer questions from the documents in 'handbook'" in _content(answer)
    assert not answer["groundwork"]["abstained"]


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


def test_a_bare_follow_up_takes_the_place_of_the_last_one(http: httpx2.Client, handbook: Collection) -> None:
    content = _content(_ask(http, "what is the hotel limit per night in belgium?", "and denmark"))
    assert "EUR 175" in content
    assert "Belgium" not in content


def test_who_asks_for_all_of_a_table_gets_all_rows(http: httpx2.Client, handbook: Collection) -> None:
    content = _content(_ask(http, "list all events with paid leave"))
    assert "Event: Death of a partner or child; Paid leave: 10 days" in content
    assert "Event: Death of a grandparent or grandchild; Paid leave: 1 day" in content
    assert content.count("Event: ") > 4


def test_who_goes_hears_a_farewell(http: httpx2.Client, handbook: Collection) -> None:
    assert _content(_ask(http, "ok bye")) == "Goodbye."


def test_what_everybody_gets_is_said_before_what_some_may_add(http: httpx2.Client, handbook: Collection) -> None:
    content = _content(_ask(http, "how many days of holiday do I get?"))
    assert "27 days" in content
    assert "5 extra days" not in content.partition("27 days")[0]
