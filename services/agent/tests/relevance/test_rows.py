from __future__ import annotations

import pytest

from agent.questions.question import Question
from agent.relevance.passages import passages
from agent.relevance.ranking import Scored
from agent.relevance.rows import in_words_of_best, named_rows_first
from agent.testing.scripted_answers import hit

PLANS = "| Plan | Kept online |\n|---|---|\n| Starter | 12 months |\n| Team | 36 months |\n| Enterprise | 84 months |"
PARTS = (
    "| Order no. | Product | Price |\n|---|---|---|\n| 20-1000 | Causeway G1 | EUR 790 |\n"
    "| 20-1100 | Causeway G1 Solar | EUR 1,180 |"
)
BATTERY = "| Interval | Battery |\n|---|---|\n| 15 minutes | 54 months |\n| 5 minutes | 28 months |"
LEVEL = "| Accuracy | ±8 mm | ±24 mm |\n| Property | L4-10 | L4-30 |"
TEAMS = (
    "| Team | Lead | Floor |\n|---|---|---|\n| Support | Bob Huber | 3 |\n| Sales team | Anna Maier | 2 |\n"
    "| Purchasing | Carla Weiss | 4 |"
)
TRIPS = "| Norway | 40 | hotel booked by the travel office |\n| Travel by train | | second class |"
GIFTS = "| Gift received | EUR 60 a year |\n| Gift above the limit | not accepted |"

ORDERS = (
    "| Value of the order | Signature |\n|---|---|\n| up to EUR 5,000 | buyer |\n"
    "| up to EUR 50,000 | Head of Operations |\n| up to EUR 250,000 | two directors |\n| above EUR 250,000 | CEO |"
)
CLAIMS = (
    "| Amount | Approver |\n|---|---|\n| up to EUR 400 | manager |\n| EUR 400 to EUR 2,500 | head |\n"
    "| above EUR 2,500 | CFO |"
)
DELIVERY = (
    "| Order value | Standard |\n|---|---|\n| Orders up to 40 pounds | 4.50 pounds |\n"
    "| Above 40 up to 100 pounds | 2.50 pounds |\n| Above 100 pounds | free |\n| Above 500 pounds | free, by express |"
)
MODELS = "| Product | Price |\n|---|---|\n| Bittern L4-10 | EUR 425 |\n| Bittern L4-30 | EUR 515 |"


def _ranked(*texts: str) -> list[Scored]:
    """All rows in document order, with falling scores."""
    found = [one for one in passages([hit(text, f"d{at}") for at, text in enumerate(texts)]) if one.unit.kind == "row"]
    return [Scored(passage, (), float(-at)) for at, passage in enumerate(found)]


@pytest.mark.parametrize(
    ("question", "table", "first"),
    [
        ("How many months are readings kept on the Team plan?", PLANS, "Team"),
        ("How much does a Causeway G1 Solar cost?", PARTS, "20-1100"),
        ("How much does a Causeway G1 cost?", PARTS, "20-1000"),
        ("How long does the battery last with a message every 5 minutes?", BATTERY, "5 minutes"),
        ("How long are readings kept?", PLANS, "Starter"),
        ("How accurate is the L4-30?", LEVEL, "Accuracy"),
        ("Which team does Bob Huber lead?", TEAMS, "Support"),
        ("Where is the hotel booked by the travel office?", TRIPS, "Norway"),
        ("What may a gift be worth if I want to accept it?", GIFTS, "Gift received"),
        ("Who signs an order of 12,000 euro?", ORDERS, "up to EUR 50,000"),
        ("who has to sign an order for 80k", ORDERS, "up to EUR 250,000"),
        ("Who signs an order of 300 euros?", ORDERS, "up to EUR 5,000"),
        ("Who signs for 2 million euros?", ORDERS, "above EUR 250,000"),
        ("Who signs for 8.2 grand?", ORDERS, "up to EUR 50,000"),
        ("Who signs an order of EUR12,000?", ORDERS, "up to EUR 50,000"),
        ("who approves a claim of 400", CLAIMS, "up to EUR 400"),
        ("who approves a claim of 1,900 euros", CLAIMS, "EUR 400 to EUR 2,500"),
        ("What does the Bittern L4-30 cost?", MODELS, "Bittern L4-30"),
        ("how much is delivery of a 120 pound order", DELIVERY, "Above 100 pounds"),
        ("how much is delivery for an order of 700 pounds", DELIVERY, "Above 500 pounds"),
        ("how much is delivery for an order of 40 pounds", DELIVERY, "Orders up to 40 pounds"),
        ("how much is delivery for an order of 50 pounds", DELIVERY, "Above 40 up to 100 pounds"),
    ],
)
def test_the_row_that_the_question_names_comes_before_its_neighbours(question: str, table: str, first: str) -> None:
    ranked = _ranked(table)
    ordered = named_rows_first(Question(question), ranked)
    assert first in ordered[0].passage.text.split("|")[1]
    assert [one.score for one in ordered] == [one.score for one in ranked]
    assert {id(one.passage) for one in ordered} == {id(one.passage) for one in ranked}


def test_rows_of_one_table_take_no_place_of_another_s() -> None:
    ordered = named_rows_first(Question("Which plan is Team and what is a Causeway G1 Solar?"), _ranked(PARTS, PLANS))
    tables = [one.passage.hit.document_id for one in ordered]
    assert tables == ["d0", "d0", "d1", "d1", "d1"]
    assert "Team" in ordered[2].passage.text


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("who signs an order of 12,000 euro?", "who signs an order of up to EUR 50,000?"),
        ("who signs an order of € 12,000?", "who signs an order of up to EUR 50,000?"),
        ("who signs an order for 2 grand", "who signs an order for up to EUR 5,000"),
        ("who signs an order?", "who signs an order?"),
    ],
)
def test_a_number_is_read_as_the_range_in_which_it_lies(question: str, read: str) -> None:
    asked = Question(question)
    assert in_words_of_best(asked, named_rows_first(asked, _ranked(ORDERS))) == read
    assert in_words_of_best(asked, _ranked(PARTS)) == question
    assert in_words_of_best(asked, []) == question


def test_an_item_that_says_what_it_is_about_is_found_by_that() -> None:
    days = hit("# Training\n\n- Monday: no training\n- Tuesday, 18:00: beginners\n- Rest: none", "days")
    ranked = [Scored(one, (), score) for one, score in zip(passages([days])[1:], (1.0, 3.0, 2.0), strict=True)]
    ordered = named_rows_first(Question("is there training on mondays?"), ranked[1:] + ranked[:1])
    assert ordered[0].passage.text == "Monday: no training"
    assert ordered[0].score == 3.0
