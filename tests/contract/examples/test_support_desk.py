"""The support desk's decision: the customer gets an answer only where nothing speaks for a person."""

from __future__ import annotations

import pytest
from examples.support_desk.desk import found, reasons

from contracts.models.chat import AnswerReport, ClosestDocument
from contracts.models.citations import Annotation, UrlCitation
from contracts.models.classification import Classification
from groundwork.client import Answer

ASKED = "How many days do I have?"
PLACE = {"collection": "support", "document_id": "faq", "revision": 1, "chunk_id": "c", "score": 1.0}
CITATION = Annotation(
    **PLACE,
    url_citation=UrlCitation(start_index=9, end_index=12, url="http://x", title="FAQ"),
    index=9,
    marker="[1]",
    title="FAQ",
    source="faq.html",
    quote="28 days",
    start=0,
    end=7,
)


def labels(mood: str = "calm", urgency: str = "normal", sure: float = 0.9) -> dict[str, Classification]:
    given = {"topic": ("billing", sure), "mood": (mood, 0.9), "urgency": (urgency, 0.9)}
    return {what: Classification(label=label, scores={label: score}) for what, (label, score) in given.items()}


def answer(*, grounded: bool = True, abstained: bool = False, cited: bool = True) -> Answer:
    closest = [ClosestDocument(collection="support", document_id="faq", title="FAQ")] if abstained else None
    kind = "abstained" if abstained else "extractive"
    report = AnswerReport(
        grounded=grounded, abstained=abstained, answer_kind=kind, collections=["support"], closest=closest
    )
    return Answer("28 days [1].", [CITATION] if cited else [], report)


def test_a_calm_ticket_with_a_cited_answer_needs_nobody() -> None:
    assert reasons(ASKED, labels(), answer()) == []


@pytest.mark.parametrize(
    ("sorted_as", "said", "why"),
    [
        (labels(mood="angry"), answer(), "the ticket is angry"),
        (labels(urgency="urgent"), answer(), "it is urgent"),
        (labels(sure=0.3), answer(), "the desk is not sure what it is about"),
        (labels(), answer(abstained=True, grounded=False, cited=False), "the documents do not answer it"),
        (labels(), answer(cited=False), "the documents do not answer it"),
        (labels(), Answer("28 days."), "the documents do not answer it"),
        (labels(), answer(grounded=False), "not every sentence has a source"),
    ],
)
def test_each_reason_alone_hands_a_ticket_over(sorted_as: dict[str, Classification], said: Answer, why: str) -> None:
    assert reasons(ASKED, sorted_as, said) == [why]


def test_what_asks_nothing_or_names_a_code_that_no_source_has_is_handed_over() -> None:
    assert reasons("Hello, please see my other message.", labels(), answer()) == ["it asks nothing"]
    said = reasons("What does E06 of the WS3 mean?", labels(), answer())
    assert said == ["it names E06, WS3, which the answer's sources do not"]


def test_a_colleague_gets_what_was_found_or_the_closest_documents() -> None:
    assert found(answer()) == ["found, and not sent: 28 days [1].", "[1] FAQ (faq.html): “28 days”"]
    assert found(answer(abstained=True)) == ["nothing to quote; the closest documents: FAQ"]
