from __future__ import annotations

import pytest

from agent.questions.asked_documents import read_document_question
from agent.questions.kind import DocumentList, Overview, Summary


@pytest.mark.parametrize(
    ("question", "topic", "language"),
    [
        ("which documents talk about travel?", "travel", "en"),
        ("What files mention the 2024 outage?", "the 2024 outage", "en"),
        ("Please list all documents about gifts.", "gifts", "en"),
        ("Show me the docs that discuss remote work", "remote work", "en"),
        ("In which documents is the dew hold rule mentioned?", "the dew hold rule", "en"),
        ("where is the deposit mentioned?", "the deposit", "en"),
        ("which policies mention cookies", "cookies", "en"),
        ("which documents have phone numbers", "phone numbers", "en"),
        ("Do you have documents on sabbaticals?", "sabbaticals", "en"),
        ("Welche Dokumente handeln von Datenschutz?", "Datenschutz", "de"),
        ("In welchem Dokument wird der Ausfall erwähnt?", "der Ausfall", "de"),
        ("Gibt es Dokumente zum Urlaub?", "Urlaub", "de"),
    ],
)
def test_a_question_for_documents_names_its_topic(question: str, topic: str, language: str) -> None:
    assert read_document_question(question) == DocumentList(topic, language)  # type: ignore[arg-type]  # from the table


@pytest.mark.parametrize(
    ("question", "name", "language", "sentences"),
    [
        ("Summarise the incident report", "incident report", "en", None),
        ("Can you please summarize the “Leave Policy” in three sentences?", "Leave Policy", "en", 3),
        ("Give me a short summary of the code of conduct, please", "code of conduct", "en", None),
        ("What is the leave policy about?", "leave policy", "en", None),
        ("what does the on-call policy say?", "on-call policy", "en", None),
        ("tl;dr expenses policy", "expenses policy", "en", None),
        ("Fasse den Incident Report in 2 Sätzen zusammen", "Incident Report", "de", 2),
        ("Fasse den Incident Report zusammen", "Incident Report", "de", None),
        ("Worum geht es in der Leave Policy?", "Leave Policy", "de", None),
    ],
)
def test_a_question_for_a_summary_names_its_document(
    question: str, name: str, language: str, sentences: int | None
) -> None:
    expected = Summary(name, language, sentences)  # type: ignore[arg-type]  # read from the table
    assert read_document_question(question) == expected


def test_what_a_policy_covers_is_asked_of_what_it_says() -> None:
    assert read_document_question("which policies cover theft?") is None


def test_a_summary_of_everything_is_an_overview() -> None:
    assert read_document_question("Summarise all documents") == Overview("help", "en")
    assert read_document_question("Fasse alles zusammen") == Overview("help", "de")


@pytest.mark.parametrize(
    "question",
    [
        "Which documents do I need to bring on my first day?",
        "Which documents are kept for six months?",
        "What documents must a supplier send?",
        "Where is the canteen?",
        "What does a hot lunch cost?",
        "What does the leave policy say about carrying days over?",
        "What is it about?",
        "Summarise it",
        "Which documents mention it?",
    ],
)
def test_an_ordinary_question_about_documents_stays_one(question: str) -> None:
    assert read_document_question(question) is None


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("哪些文档提到了会员？", DocumentList("会员", "zh")),
        ("有没有关于装修的文档？", DocumentList("装修", "zh")),
        ("أي المستندات تتحدث عن الضمان؟", DocumentList("الضمان", "ar")),
        ("ما هي المستندات التي تتناول الاشتراك؟", DocumentList("الاشتراك", "ar")),
        ("请总结一下食堂就餐指南", Summary("食堂就餐指南", "zh")),
        ("社区图书馆借阅规则讲了什么？", Summary("社区图书馆借阅规则", "zh")),
        ("لخص لي دليل المكتبة", Summary("دليل المكتبة", "ar")),
        ("عمّ يتحدث دليل المكتبة؟", Summary("دليل المكتبة", "ar")),
        ("哪些文件需要带？", None),
        ("他说了什么？", None),
        ("ما هي المستندات المطلوبة؟", None),
    ],
)
def test_documents_are_asked_for_in_chinese_and_arabic(question: str, kind: DocumentList | Summary | None) -> None:
    assert read_document_question(question) == kind
