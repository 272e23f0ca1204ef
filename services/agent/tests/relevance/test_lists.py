"""Whole lists: told by what names them, over the chunks that they go on in."""

from __future__ import annotations

import pytest

from agent.answering.judgement import first_ranking
from agent.questions.question import Question
from agent.relevance.lists import asked_list, lists
from agent.relevance.passages import passages
from agent.testing.scripted_answers import bag_of_stems, hit
from contracts.retrieval.search import Hit

COURSES = hit("# Courses\n\n- Fix a puncture: free\n- Wheel building: 90 euros\n- Winter care: 25 euros", "courses")
RETURNS = hit("# Returns\n\nGoods go back in 30 days.\n\n1. Write to us.\n2. Pack the goods.\n3. Drop it.", "returns")
HEAD = "Bikes\n\nModel | Price | In stock\nFjord 3 | 749 | 4"
REST = "Tern Volt | 2890 | 3\nGravel King | 1690 | 5"
PRICES = (
    hit(HEAD, "prices", heading_path=["Bikes"]),
    hit(REST, "prices", start=len(HEAD) + 1, heading_path=["Bikes"]),
)


def listed(question: str, *hits: Hit) -> list[str]:
    asked, found = Question(question), passages(hits)
    vectors = [bag_of_stems(text) for text in (question, *(passage.embedded_text for passage in found))]
    return [one.text for one in asked_list(asked, first_ranking(asked, found, vectors), found)]


def test_a_list_is_shown_whole_by_the_name_of_what_it_stands_under() -> None:
    assert listed("list all courses", RETURNS, COURSES) == [
        "Fix a puncture: free",
        "Wheel building: 90 euros",
        "Winter care: 25 euros",
    ]


def test_a_table_is_shown_whole_over_its_chunks() -> None:
    rows = listed("which bikes do you have in stock", PRICES[1], COURSES, PRICES[0])
    assert [row.split(" | ")[0] for row in rows] == ["Fjord 3", "Tern Volt", "Gravel King"]


def test_only_the_rows_of_what_is_named_are_shown() -> None:
    assert listed("list all bikes called Tern Volt", *PRICES) == ["Tern Volt | 2890 | 3"]


def test_how_something_is_done_is_all_its_steps() -> None:
    sent = hit("# Return goods\n\n1. Write to us.\n2. Pack the goods.\n3. Drop it.", "sent")
    pump = hit("# Reset the pump\n\n1. Press.\n2. Wait.\n\n# Store the pump\n\n1. Empty it.\n2. Dry it.", "pump")
    assert listed("How do I store the pump?", pump) == ["Empty it.", "Dry it."]
    assert listed("how do I return goods", sent) == ["Write to us.", "Pack the goods.", "Drop it."]


@pytest.mark.parametrize(
    "question", ["list all holidays", "how much is wheel building", "who teaches winter care", "list all"]
)
def test_nothing_is_listed_that_was_not_asked_for(question: str) -> None:
    assert listed(question, COURSES, RETURNS) == []


def test_points_of_several_sentences_are_no_enumeration() -> None:
    modes = hit(
        "# Workout modes\n\n- Touch the icon. It opens the modes. Press it.\n- In some modes swipe. Then wait.", "m"
    )
    assert listed("list all workout modes", modes) == []


def test_two_lists_of_one_chunk_are_two() -> None:
    two = hit("Fruit:\n\n- apple\n- pear\n\nTools:\n\n- saw\n- file", "both")
    assert [[one.text for one in each] for each in lists(passages([two]))] == [["apple", "pear"], ["saw", "file"]]
    assert listed("list all tools", two) == ["saw", "file"]


LETTER = hit(
    "# Leaving\n\nTo cancel the contract, the tenant writes a letter to the landlord two months ahead.", "leaving"
)
CLAUSES = hit(
    "# Terms\n\n1. The tenant pays the rent to the landlord.\n2. Pets are welcome.\n3. The contract ends with a letter."
    "\n4. Keys go back.",
    "contract",
)
BOARD = hit(
    "# People\n\n- Jane Doe, chair\n- John Roe, treasurer\n\nThe main risks are fire and flood.",
    "annual",
    title="Annual report risks",
)
HOURS = hit(
    "# Opening hours\n\nWe are open daily from 9 to 17.\n\n- Ticket desk: closes early\n- Shop: closes late", "hours"
)
DESKS = hit(
    "We are open daily from 9 to 17.\n\n## Exceptions\n\n- Ticket desk: closes early\n- Shop: closes late",
    "desks",
    title="Opening hours",
)
CHAIRS = hit("# Annual report risks\n\n- Jane Doe, chair\n- John Roe, treasurer", "chairs")
BIKES = hit("Bikes\n\nModel | Colour | In stock\nFjord 3 | red | 4\nTern Volt | red | 3\nPippo | blue | 9", "bikes")


@pytest.mark.parametrize("question", ["How can the tenant cancel the contract?", "How does the tenant pay?"])
def test_clauses_are_no_steps(question: str) -> None:
    assert listed(question, LETTER, CLAUSES) == []
    assert listed(question, CLAUSES) == []


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("What are the main risks?", BOARD),
        ("List all risks", BOARD),
        ("What are the main risks?", CHAIRS),
        ("What are your opening hours?", HOURS),
        ("What are your opening hours?", DESKS),
        ("list all opening hours", DESKS),
        ("List all bikes that are not red", BIKES),
        ("List all bikes except the red ones", BIKES),
        ("List all red bikes with less than 4 in stock", BIKES),
        ("list all bikes without stock", BIKES),
        ("list all bikes with 4 or up in stock", BIKES),
        ("How do I not return goods?", RETURNS),
        ("How do I pack the goods when it rains?", RETURNS),
    ],
)
def test_no_list_takes_the_place_of_what_answers(question: str, page: Hit) -> None:
    assert listed(question, page) == []


def test_rows_are_chosen_by_the_words_of_a_question() -> None:
    assert [row.split(" | ")[0] for row in listed("list all red bikes", BIKES)] == ["Fjord 3", "Tern Volt"]


def test_what_stands_right_below_its_name_answers_what_it_is() -> None:
    risks = hit("# The main risks\n\n- Fire\n- Flood", "risks")
    assert listed("What are the main risks?", risks) == ["Fire", "Flood"]


@pytest.mark.parametrize(
    ("question", "cells"),
    [
        ("Which city has the lowest temperature?", "-40 8 20"),
        ("Which city has the highest temperature?", "−40°C 8°C 20°C"),
        ("What is the cheapest bike?", "1.200,50€ 450,00€ 300€"),
        ("What is the most expensive bike?", "1.200,50€ 450,00€ 300€"),
        ("Was ist das günstigste Rad?", "1.490€ 950€"),
        ("Which parcel is the heaviest?", "900g 12kg 2kg"),
        ("Which disk has the largest capacity?", "512GB 2TB"),
        ("Which country has the highest population?", "3.2million 900000"),
        ("Which is the cheapest?", "€500 $490 ¥9000"),
        ("Which plan is the cheapest?", "99.99/month 499"),
        ("Which version is the highest?", "1.9 1.10"),
        ("Which bike is not the cheapest?", "300 200"),
        ("What do most countries say about bags?", "3 5"),
        ("Which countries have bags at least?", "3 5"),
        ("List the cheapest bikes", "300 200"),
        ("What are the cheapest bikes?", "300 200"),
    ],
)
def test_no_row_is_chosen_by_its_figures(question: str, cells: str) -> None:
    """What the most and the least of a column are is for no rule about words to say."""
    rows = "\n".join(f"Row {at} | {cell}" for at, cell in enumerate(cells.split()))
    head = "Bikes, cities, parcels, disks, countries, plans\n\nName | Bags, price, temperature, capacity, population"
    assert listed(question, hit(f"{head}\n{rows}\nTotal | 9999", "table")) == []


def test_a_table_of_just_what_is_asked_for_comes_before_sentences_about_it() -> None:
    text = (
        "You can pause a plan.\n\n# Plans\n\nWith a plan you get socks.\n\n| Plan | Price |\n|---|---|\n| Trail | 9 |"
    )
    shop = hit(f"{text}\n| Family | 24 |", "shop")
    assert [row.split(" | ")[0] for row in listed("which plans do you have", shop)] == ["| Trail", "| Family"]


def test_a_list_right_below_the_name_of_what_is_asked_for_is_of_that() -> None:
    text = "Supported output formats\n\n- JSON\n- CSV\n\nUse the output formats that are supported by your calendar."
    assert listed("which output formats are supported", hit(text, "readme")) == ["JSON", "CSV"]
