"""The extractive answer: whole passages that answer, never a heading or a question by itself."""

from __future__ import annotations

import pytest

from agent.answering.judgement import first_ranking, weigh
from agent.grounding.extraction import extract
from agent.questions.question import Question
from agent.relevance.lexicon import Lexicon
from agent.relevance.passages import passages
from agent.relevance.ranking import Scored
from agent.testing.scripted_answers import bag_of_stems, hit
from contracts.retrieval.search import Hit


def shown(question: str, *hits: Hit) -> list[str]:
    asked, found = Question(question), passages(hits)
    vectors = [bag_of_stems(text) for text in (question, *(passage.embedded_text for passage in found))]
    ranked = first_ranking(asked, found, vectors)
    evidence = weigh(asked, found, found, vectors, ranked, Lexicon())
    return [piece.text for piece in extract(asked, evidence.ranked, evidence.found)]


FAQ = hit(
    "### Do I need a SIM card?\n\nEvery gateway has one built in. It works for 5 years.\n\n"
    "### Do you sell to private persons?\n\nNo."
)
TABLE = hit(
    "Prices are in euro.\n\nOrder no. | Product | Price\n10-2100 | Heron S2 | EUR 189\n10-3100 | Plover WS3 | EUR 645"
)


def test_a_faq_question_brings_its_answer() -> None:
    texts = shown("Do I need a SIM card?", FAQ)
    assert texts[0] == "Every gateway has one built in."
    assert not any(text.endswith("?") for text in texts)


def test_a_table_row_reads_with_its_column_names() -> None:
    assert shown("What does the Heron S2 cost?", TABLE)[0] == "Order no.: 10-2100; Product: Heron S2; Price: EUR 189"


def test_a_sentence_that_leans_back_brings_the_one_before() -> None:
    texts = shown(
        "How many years does the SIM card work for?", hit("The gateway has a SIM card. It works for 5 years.")
    )
    assert texts == ["The gateway has a SIM card.", "It works for 5 years."]


def test_a_page_header_that_repeats_title_and_question_is_no_answer() -> None:
    page = hit("Price List 2025 | Osterfenn\n\nThe Heron costs EUR 189.", title="Price List 2025 Osterfenn")
    assert shown("What is on the price list 2025?", page) == ["The Heron costs EUR 189."]


@pytest.mark.parametrize(
    "text", ["See [this](https://evil.example/x) for 5 gateways.", "Use ![x](https://evil.example/y) 5 gateways."]
)
def test_markup_of_a_document_is_shown_as_words(text: str) -> None:
    assert all("](" not in piece for piece in shown("How many gateways are in use?", hit(text)))


def test_nothing_found_is_nothing_shown() -> None:
    assert shown("Why?") == []


def test_a_line_without_anything_of_the_subject_is_left_out_though_it_is_of_the_kind_that_is_asked_for() -> None:
    faq = "We lend a demonstration kit for 28 days. You pay a deposit of EUR 300, paid back when the kit returns."
    kit, gifts = passages([hit(faq, "a"), hit("Situation | Limit\n--- | ---\nCash or vouchers | EUR 20", "b")])[1::2]
    asked = Question("What is the deposit for borrowing a demo kit?")
    near = [Scored(one, (0.0,) * 13, score) for one, score in ((kit, 9.0), (gifts, 8.0))]
    assert [one.text for one in extract(asked, near, [kit, gifts])] == [kit.text]
