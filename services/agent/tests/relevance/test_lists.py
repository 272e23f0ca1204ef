"""Whole lists: told by what names them, over the chunks that they go on in."""

from __future__ import annotations

import pytest

from agent.answering.judgement import first_ranking
from agent.questions.question import Question
from agent.relevance.lists import asked_list, extreme_rows, lists
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
    assert listed("how do I pack the goods", RETURNS) == ["Write to us.", "Pack the goods.", "Drop it."]


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


SEEN = frozenset(("prices",))


def best(question: str, whole: frozenset[str] = SEEN) -> list[str]:
    found = passages(PRICES)
    return [one.text.split(" | ")[0] for one in extreme_rows(Question(question), found, whole)]


@pytest.mark.parametrize(
    ("question", "model"),
    [
        ("whats the cheapest bike", "Fjord 3"),
        ("what is the most expensive bike?", "Tern Volt"),
        ("which model has the lowest price", "Fjord 3"),
        ("which model has the highest price?", "Tern Volt"),
        ("welches ist das teuerste bike", "Tern Volt"),
    ],
)
def test_the_row_that_has_most_or_least_is_found_by_its_figures(question: str, model: str) -> None:
    assert best(question) == [model]


@pytest.mark.parametrize(
    "question",
    ["what is the price of a bike", "whats the cheapest car", "which bike is the heaviest", "how do most bikes work"],
)
def test_no_row_is_chosen_by_figures_that_are_not_asked_for(question: str) -> None:
    assert best(question) == []


def test_nothing_is_said_of_a_table_that_is_not_wholly_seen() -> None:
    assert best("whats the cheapest bike", frozenset()) == []
