"""Questions that no single passage answers, asked of the sample handbook."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection


def _ask(http: httpx2.Client, question: str) -> dict[str, Any]:
    said = [{"role": "user", "content": question}]
    body = {"model": "rag:handbook", "messages": said, "groundwork": {"include": ["receipt"]}}
    reply = http.post("/v1/chat/completions", json=body, timeout=300)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def _content(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


def _cited(answer: dict[str, Any]) -> list[dict[str, Any]]:
    cited: list[dict[str, Any]] = answer["choices"][0]["message"]["annotations"]
    return cited


def _sources(answer: dict[str, Any]) -> set[str]:
    return {one["source"] for one in _cited(answer)}


@pytest.fixture
def exact(home: RunningHome, handbook: Collection) -> Any:
    """Check that every citation of an answer stands where it says, and quotes exactly its span."""

    def check(answer: dict[str, Any]) -> None:
        for one in _cited(answer):
            text = home.client.documents.text("handbook", one["document_id"], revision=one["revision"])
            assert text[one["start"] : one["end"]] == one["quote"]
            assert _content(answer)[one["index"] :].startswith(one["marker"])

    return check


def test_a_greeting_says_what_there_is_and_what_can_be_asked(
    http: httpx2.Client, handbook: Collection, exact: Any
) -> None:
    answer = _ask(http, "Hi! What can you do?")
    exact(answer)
    assert "There are 20 documents" in _content(answer)
    examples = [line[2:].rsplit(" [", 1)[0] for line in _content(answer).splitlines() if line.startswith("- ")]
    assert examples
    for example, citation in zip(examples, _cited(answer), strict=True):
        again = _ask(http, example)
        assert not again["groundwork"]["abstained"], example
        assert citation["source"] in _sources(again), example


def test_documents_about_a_topic_are_listed(http: httpx2.Client, handbook: Collection, exact: Any) -> None:
    answer = _ask(http, "which documents talk about travel?")
    exact(answer)
    assert "expenses-policy.docx" in _sources(answer)
    assert answer["groundwork"]["grounded"]
    nowhere = _ask(http, "Which documents mention dinosaurs?")
    assert _content(nowhere).startswith("The documents in 'handbook' do not hold an answer to this question.")
    assert nowhere["groundwork"]["abstained"]


def test_a_report_is_summed_up_in_its_own_sentences(http: httpx2.Client, handbook: Collection, exact: Any) -> None:
    answer = _ask(http, "Summarise the incident report")
    exact(answer)
    assert _sources(answer) == {"incident-report-2024-11.pdf"}
    assert 3 <= len(_cited(answer)) <= 6
    assert "Fieldbook accepted no readings" in " ".join(_content(answer).split())
    assert not any("|" in one["quote"] or "Author" in one["quote"] for one in _cited(answer))
    starts = [one["start"] for one in _cited(answer)]
    assert starts == sorted(starts)


def test_two_questions_in_one_are_both_answered(http: httpx2.Client, handbook: Collection, exact: Any) -> None:
    answer = _ask(http, "What does a hot lunch cost in the canteen and what is the deposit for a demo kit?")
    exact(answer)
    first, second = _content(answer).split("\n\n")
    assert "EUR 3.75" in first
    assert "EUR 300" in second
    assert {"haldermeer-site-guide.txt", "customer-faq.html"} <= _sources(answer)


def test_what_a_survey_needed_is_in_its_receipt(http: httpx2.Client, handbook: Collection) -> None:
    receipt = _ask(http, "Summarise the code of conduct")["groundwork"]["receipt"]
    assert receipt["tokens"]["embedding"] > 0
    assert receipt["cost_usd"] is not None
    assert "survey" in {stage["name"] for stage in receipt["stages"]}
    assert receipt["collection_revisions"] == {"handbook": handbook.revision}
