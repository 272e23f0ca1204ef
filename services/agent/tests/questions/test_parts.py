from __future__ import annotations

import pytest

from agent.questions.parts import MAX_CHARACTERS, read_parts


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        (
            "how many days of leave and how many sick days?",
            ("how many days of leave?", "how many sick days?"),
        ),
        (
            "How much is the deposit, and how long can I keep the kit?",
            ("How much is the deposit?", "how long can I keep the kit?"),
        ),
        (
            "What does a hot lunch cost and who painted The Night Watch?",
            ("What does a hot lunch cost?", "who painted The Night Watch?"),
        ),
        (
            "My father has died. How much leave do I get? Who has to approve leave?",
            ("My father has died. How much leave do I get?", "My father has died. Who has to approve leave?"),
        ),
        (
            "Wie viele Urlaubstage gibt es und wie lange ist die Kündigungsfrist?",
            ("Wie viele Urlaubstage gibt es?", "wie lange ist die Kündigungsfrist?"),
        ),
    ],
)
def test_two_questions_are_cut_where_the_second_one_begins(question: str, asked: tuple[str, ...]) -> None:
    parts = read_parts(question)
    assert parts is not None
    assert (parts.asked, parts.compares) == (asked, False)


@pytest.mark.parametrize(
    ("question", "labels"),
    [
        ("Compare the Heron S2 with the Plover WS3", ("The Heron S2", "The Plover WS3")),
        ("What is the difference between the Team plan and the Starter plan?", ("The Team plan", "The Starter plan")),
        ("Compare the price of Heron S2 and Causeway G1", ("The price of Heron S2", "The price of Causeway G1")),
        ("differences between temporary and permanent contracts", ("Temporary contracts", "Permanent contracts")),
        ("Heron S2 vs. Plover WS3", ("Heron S2", "Plover WS3")),
        ("compare flyers and maple leafs", ("Flyers", "Maple leafs")),
        ("compare Acme and Globex on sharing data", ("Acme", "Globex")),
        (
            "what is the difference between the acme and the globex privacy policy",
            ("The acme privacy policy", "The globex privacy policy"),
        ),
        ("Was ist der Unterschied zwischen SEV1 und SEV2?", ("SEV1", "SEV2")),
    ],
)
def test_things_to_compare_are_parts(question: str, labels: tuple[str, ...]) -> None:
    parts = read_parts(question)
    assert parts is not None
    assert (parts.labels, parts.compares) == (labels, True)


@pytest.mark.parametrize(
    "question",
    [
        "My father has died. How much paid time off do I get?",
        "When many people are arrested, what is a common tactic?",
        "Do you share my data with others? If yes, what is the type of data?",
        "Who is the person who lives in Aarhus and who is the head of sales?",
        "Which paper introduced the transformer and who are the authors?",
        "Which model has the highest accuracy, and what is the percentage?",
        "What position does Andrew Jassy hold and what is his age?",
        "What year did Claude Monet die and what was the cause?",
        "How and why was the broker restarted?",
        "What is loihi and where does it originate from?",
        "Who was involved in the Mapp vs Ohio case?",
        "How do the fees at former schools compare to those at other schools?",
        "Compare the two models. Which model performs better?",
        "What do I need and what do they want?",
        "How many days of leave do I get?",
    ],
)
def test_a_single_question_stays_whole(question: str) -> None:
    assert read_parts(question) is None


def test_a_german_side_is_asked_for_by_its_name_alone() -> None:
    parts = read_parts("Vergleiche SEV1 mit SEV2")
    assert parts is not None
    assert parts.asked == ("SEV1?", "SEV2?")


def test_more_parts_than_can_be_answered_are_one_question() -> None:
    one = "how many {} days are there"
    assert read_parts(" and ".join(one.format(word) for word in ("sick", "care", "study", "flex", "bridge"))) is None


def test_each_thing_is_asked_for_by_what_they_are_compared_by() -> None:
    parts = read_parts("compare Acme and Globex on sharing data")
    assert parts is not None
    assert parts.asked == ("What is Acme sharing data?", "What is Globex sharing data?")


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        (
            "What is the difference between payment by cash and payment by card?",
            ("What is payment by cash?", "What is payment by card?"),
        ),
        ("compare travel by train with travel by bus", ("What is travel by train?", "What is travel by bus?")),
        (
            "What is the difference between leave on demand and leave on request?",
            ("What is leave on demand?", "What is leave on request?"),
        ),
        ("compare leave on demand and leave by request", ("What is leave on demand?", "What is leave by request?")),
        (
            "difference between tax on income and tax on capital gains",
            ("What is tax on income?", "What is tax on capital gains?"),
        ),
        (
            "What is the difference between working on Saturdays and working on Sundays?",
            ("What is working on Saturdays?", "What is working on Sundays?"),
        ),
        ("compare payment by cash and card on speed", ("What is payment by cash speed?", "What is card speed?")),
    ],
)
def test_what_tells_two_things_apart_is_not_what_they_are_compared_by(question: str, asked: tuple[str, ...]) -> None:
    parts = read_parts(question)
    assert parts is not None
    assert (parts.asked, parts.compares) == (asked, True)


def test_a_long_message_is_not_cut() -> None:
    long = "compare Acme and Globex" + "." * MAX_CHARACTERS
    assert read_parts(long) is None
    assert read_parts(long[:MAX_CHARACTERS]) is not None
