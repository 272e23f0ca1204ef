"""The extractive answer: whole passages that answer, never a heading or a question by itself."""

from __future__ import annotations

import pytest

from agent.answering.judgement import first_ranking, weigh
from agent.grounding.extraction import Extract, extract
from agent.questions.question import Question
from agent.relevance.evidence import Evidence
from agent.relevance.lexicon import Lexicon
from agent.relevance.passages import Passage, passages
from agent.relevance.ranking import Scored
from agent.testing.scripted_answers import bag_of_stems, hit
from contracts.retrieval.search import Hit


def shown(question: str, *hits: Hit) -> list[str]:
    asked, found = Question(question), passages(hits)
    vectors = [bag_of_stems(text) for text in (question, *(passage.embedded_text for passage in found))]
    ranked = first_ranking(asked, found, vectors)
    evidence = weigh(asked, found, found, vectors, ranked, Lexicon())
    return [piece.text for piece in extract(evidence)]


def extracted(question: Question, ranked: list[Scored], found: list[Passage]) -> list[Extract]:
    return extract(Evidence(question, found, found, None, ranked, 1.0))


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
    assert [one.text for one in extracted(asked, near, [kit, gifts])] == [kit.text]


HOTELS = hit(
    "# Hotels\n\n| Country | Limit per night |\n| --- | --- |\n| Belgium, France | EUR 160 |\n| Denmark | EUR 175 |\n"
    "| Portugal | EUR 115 |"
)


def test_a_row_of_something_else_adds_nothing_to_the_row_of_what_is_named() -> None:
    assert shown("What is the hotel limit per night in Denmark?", HOTELS) == [
        "Hotels – Country: Denmark; Limit per night: EUR 175"
    ]


def test_a_row_that_lacks_what_the_first_one_has_of_the_question_is_another_s() -> None:
    table = hit(
        "## Patches\n\n| Severity | Servers |\n| --- | --- |\n| Critical | 48 hours |\n| High | 7 days |\n"
        "| Low | 90 days |"
    )
    assert shown("How soon must critical patches be on servers?", table) == [
        "Patches – Severity: Critical; Servers: 48 hours"
    ]


def test_of_rows_whose_ranges_hold_a_number_only_the_narrowest_is_shown() -> None:
    table = hit(
        "| Order | Signs |\n|---|---|\n| up to EUR 5,000 | buyer |\n"
        "| up to EUR 50,000 | head |\n| above EUR 50,000 | CEO |"
    )
    rows = [one for one in passages([table]) if one.unit.kind == "row"]
    near = [Scored(rows[at], (0.0,) * 13, score) for at, score in ((0, 9.0), (1, 8.9), (2, 8.0))]
    assert [one.text for one in extracted(Question("Who signs an order of 3,000 euro?"), near, rows)] == [
        "Order: up to EUR 5,000; Signs: buyer"
    ]


@pytest.mark.parametrize(
    ("question", "best", "expected"),
    [
        ("who approves a claim of 3,000 euros", 2, ["above EUR 2,500"]),
        ("who approves claims of 300 and of 3,000 euros", 2, ["up to EUR 400", "above EUR 2,500"]),
    ],
)
def test_rows_are_shown_whose_ranges_hold_the_numbers_of_a_question(
    question: str, best: int, expected: list[str]
) -> None:
    table = hit(
        "| Claim | Approver |\n|---|---|\n| up to EUR 400 | manager |\n"
        "| EUR 400 to EUR 2,500 | head |\n| above EUR 2,500 | director |"
    )
    rows = [one for one in passages([table]) if one.unit.kind == "row"]
    near = [Scored(row, (0.0,) * 13, 9.0 if at == best else 8.5) for at, row in enumerate(rows)]
    near.sort(key=lambda one: -one.score)
    shown_rows = [one.text for one in extracted(Question(question), near, rows)]
    assert [row.removeprefix("Claim: ").partition(";")[0] for row in shown_rows] == expected


def test_a_number_in_a_column_that_names_no_row_leaves_no_row_out() -> None:
    table = hit(
        "| Boat | People | Price |\n|---|---|---|\n| Canoe boat | 2 to 6 people | EUR 9 |\n"
        "| Rowing boat | 7 to 9 people | EUR 14 |"
    )
    rows = [one for one in passages([table]) if one.unit.kind == "row"]
    near = [Scored(row, (0.0,) * 13, 9.0 - at / 10) for at, row in enumerate(rows)]
    assert len(extracted(Question("how much is a boat for 4 hours"), near, rows)) == 2


def test_a_footer_below_an_answer_is_no_part_of_it() -> None:
    page = hit("### How do I close my account?\n\nUse Settings, Account, Close.\n\nHead of Support: Ines Carvalho.")
    found = passages([page])
    near = [Scored(found[at], (0.0,) * 13, score) for at, score in ((1, 9.0), (2, 8.9))]
    assert [one.text for one in extracted(Question("How do I close my account?"), near, found)] == [
        "Use Settings, Account, Close."
    ]


def test_a_sentence_with_the_question_s_number_is_added_to_one_without() -> None:
    faq = hit("One gateway serves 60 sensors that report every 15 minutes. With 5 minutes, plan for no more than 25.")
    one, other = passages([faq])
    asked = Question("How many sensors can a gateway serve that report every 5 minutes?")
    near = [Scored(one, (0.0,) * 13, 9.0), Scored(other, (0.0,) * 13, 6.0)]
    assert len(extracted(asked, near, [one, other])) == 2


def test_yes_or_no_before_an_answer_is_shown_where_that_is_asked() -> None:
    faq = hit("### Do I need a SIM card?\n\nNo. Every gateway has a SIM card built in, with data for 5 years.")
    assert shown("Do I need a SIM card?", faq)[:2] == [
        "No.",
        "Every gateway has a SIM card built in, with data for 5 years.",
    ]
    assert shown("How many years of data has the SIM card of a gateway?", faq) == [
        "Every gateway has a SIM card built in, with data for 5 years."
    ]


def test_a_row_that_only_its_heading_explains_is_shown_with_it() -> None:
    table = hit("## Parental leave\n\n| Weeks | Pay |\n| --- | --- |\n| first 9 | 70 percent |\n| other 17 | unpaid |")
    assert shown("How much of parental leave is unpaid?", table)[0] == "Parental leave – Weeks: other 17; Pay: unpaid"


def test_nothing_is_added_to_a_passage_that_answers_with_great_chance() -> None:
    sure, other = passages([hit("The gate opens at 8.", "a"), hit("The gate is closed at 20.", "b")])
    asked = Question("When does the gate open?")
    near = [Scored(sure, (0.0,) * 13, 9.0), Scored(other, (0.0,) * 13, 6.0)]
    assert [one.text for one in extracted(asked, near, [sure, other])] == ["The gate opens at 8."]


def test_where_two_passages_may_be_the_answer_both_are_shown() -> None:
    one, other = passages([hit("The gate opens at 8:00 in summer.", "a"), hit("The yard's gate opens at 9:00.", "b")])
    asked = Question("When does the gate open?")
    near = [Scored(one, (0.0,) * 13, 9.0), Scored(other, (0.0,) * 13, 8.9)]
    assert len(extracted(asked, near, [one, other])) == 2


OFFICE = "\n\nThe office is in Bonn."
CONTENTS = "Workout modes ........ 17\nMeasuring blood pressure ........ 19"


@pytest.mark.parametrize(
    ("question", "text", "first"),
    [
        (
            "When are records archived?",
            f"Records are archived within 30 days, a rule that has held since 2021.{OFFICE}",
            "Records are archived within 30 days, a rule that has held since 2021.",
        ),
        (
            "Until when can orders be retrieved?",
            f"Orders can be retrieved until 2025.{OFFICE}",
            "Orders can be retrieved until 2025.",
        ),
        (
            "Which records are logged?",
            f"Records accessed by staff after 2019 are logged.{OFFICE}",
            "Records accessed by staff after 2019 are logged.",
        ),
        ("What does coffee cost?", "Coffee ........ 3.50\nTea ........ 4.20", "Coffee ........ 3.50"),
        ("What does coffee cost?", "Coffee ........ 3\nTea ........ 4", "Coffee ........ 3"),
        (
            "Where is the return form?",
            f"Return form: https://example.org/forms/return.pdf{OFFICE}",
            "Return form: `https://example.org/forms/return.pdf`",
        ),
        ("Which workout modes are there?", CONTENTS, "Workout modes ........ 17"),
        (
            "Which workout modes are there?",
            f"{CONTENTS}\n\nThe watch has 100 workout modes.",
            "The watch has 100 workout modes.",
        ),
    ],
)
def test_a_line_that_answers_is_no_furniture(question: str, text: str, first: str) -> None:
    assert shown(question, hit(text))[0] == first


def test_a_rule_is_said_before_what_only_adds_to_it() -> None:
    bought = hit("Once a year you may buy 5 extra days of leave.", "leave", start=400)
    rule = hit("Employees get 27 days of leave a year.", "leave", rank=1)
    extra, general = passages([bought, rule])
    near = [Scored(one, (0.0,) * 13, score) for one, score in ((extra, 9.0), (general, 8.8))]
    asked = Question("how many days of leave do I get?")
    assert [one.text for one in extracted(asked, near, [extra, general])] == [general.text, extra.text]
    more = Question("how many extra days of leave can I buy?")
    assert extracted(more, near, [extra, general])[0].text == extra.text


def test_in_place_of_a_reference_stands_what_its_chunk_says() -> None:
    band = hit(
        "The band Halden was founded in Oslo in 1998.\n\n"
        '"Halden founded in Oslo". Archived from the original on 4 April 2008.',
        "band",
    )
    other = hit("The club Halden was founded by fishermen.", "club", rank=1)
    said, reference, club = passages([band, other])[0], passages([band])[-1], passages([other])[0]
    ranked = [Scored(one, (0.0,) * 13, score) for one, score in ((reference, 9.0), (club, 6.0), (said, 1.0))]
    texts = [one.text for one in extracted(Question("where was Halden founded?"), ranked, [said, reference, club])]
    assert texts[0] == said.text


def test_items_of_something_else_add_nothing_to_the_item_of_what_is_named() -> None:
    hours = hit("# Training\n\n- Monday: no training\n- Tuesday, 18:00: beginners\n- Thursday, 18:30: eights")
    assert shown("When is the training for beginners?", hours) == ["Training – Tuesday, 18:00: beginners"]


def test_what_denies_the_question_in_its_own_words_says_something() -> None:
    hours = hit("# Week\n\n- Monday: no training\n- Tuesday, 18:00: beginners\n- Thursday, 18:30: eights")
    assert shown("is there training on mondays?", hours)[0].endswith("Monday: no training")


def _quoting(text: str, *quotes: str, question: str = "What does the Heron cost?", also: str = "") -> list[str]:
    """What is shown where a reading model quotes passages with these words, each of a window of its own."""
    found = passages([hit(text, "page"), *([hit(also, "also", rank=1)] if also else [])])
    quoted = [[one for one in found if quote in one.text and one.hit.document_id == "page"] for quote in quotes]
    ranked = [Scored(one, (), 1.0) for one in found]
    evidence = Evidence(Question(question), found, found, None, ranked, 1.0, answering=quoted)
    return [one.text for one in extract(evidence)]


def test_what_a_reading_model_quotes_is_shown_once_with_what_it_leans_on_and_nothing_beside_it() -> None:
    text = "The Heron is a probe of ours. It costs EUR 189. The Heron is blue. It is repaired for EUR 40."
    assert _quoting(text, "189", "189") == ["The Heron is a probe of ours.", "It costs EUR 189."]


def test_what_contradicts_a_quote_is_shown_beside_it() -> None:
    text = "The Heron costs EUR 189. The Heron is blue. The Heron is a probe."
    shown = _quoting(text, "189", "blue", "a probe", also="The Heron costs EUR 240.")
    assert shown == [*(f"{one}." for one in text.strip(".").split(". ")), "The Heron costs EUR 240."]


def test_a_quote_is_shown_whole_and_those_of_three_windows() -> None:
    text = (
        "The red first. The blue second. The red third. The red fourth. The red fifth. The big sixth. The big seventh."
    )
    assert _quoting(text, "red") == [f"The red {one}." for one in ("first", "third", "fourth", "fifth")]
    assert _quoting(text, "second", "seventh", "fifth", "first") == [
        "The blue second.",
        "The red fifth.",
        "The big seventh.",
    ]
    steps = "\n".join(f"{at}. Press {word}" for at, word in enumerate(("power", "volume", "menu", "back", "home"), 1))
    shown = _quoting(f"# Reset\n\n{steps}", "Press", question="How is it reset?")
    assert shown == ["Reset – Press power", "Press volume", "Press menu", "Press back", "Press home"]


def test_for_a_quoted_heading_stands_what_is_below_it_and_with_a_mere_yes_what_follows() -> None:
    faq = "### Can I bring a dog?\n\nYes. It must stay on a lead."
    for quote in ("Can I bring", "Yes"):
        assert _quoting(faq, quote, question="Can I bring a dog?") == ["Yes.", "It must stay on a lead."]


CITIES = (
    "City | Hotel limit per night (EUR) | Approver\n-|-|-\nParis | 190 | Dana Roy\nLondon | 210 | Sam Hale\n"
    "Other | 120 | Dana Roy"
)


@pytest.mark.parametrize("text", [CITIES, CITIES.replace("-|-|-\n", "")], ids=["declared", "told by its figures"])
@pytest.mark.parametrize("question", ["What's the hotel limit in London?", "How many cities have a hotel limit?"])
def test_a_header_row_is_never_an_answer(text: str, question: str) -> None:
    texts = shown(question, hit(text))
    assert not any("City: Hotel limit" in one or one.startswith("City |") for one in texts)
    if "London" in question:
        assert texts == ["City: London; Hotel limit per night (EUR): 210; Approver: Sam Hale"]


def test_a_question_about_two_codes_gets_both_rows() -> None:
    table = hit("Code | Meaning\n-|-\nE12 | Door open\nE13 | Filter full\nE31 | No water\nE44 | Fan blocked")
    assert shown("What do E12 and E44 mean?", table) == [
        "Code: E12; Meaning: Door open", "Code: E44; Meaning: Fan blocked"
    ]  # fmt: skip
    assert shown("What does E44 mean?", table) == ["Code: E44; Meaning: Fan blocked"]
