from __future__ import annotations

import pytest

from lab.generation.filters import cleaned, refused, refused_of_model

FACT = "The covered bicycle rack behind building B has lockers that can be used for one day at a time."
AROUND = f"Site guide Getting here {FACT}"
GOOD = "How long may I use the lockers of the bicycle rack?"


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (GOOD, None),
        ("The lockers of the bicycle rack?", "no_question"),
        ("What lockers?", "too_short_or_long"),
        ("How long " + "and how long " * 20 + "may lockers be used?", "too_short_or_long"),
        ("What does the passage say about lockers?", "about_the_text"),
        ("How long can they be used for lockers?", "unclear"),
        ("What is it called behind building B?", "unclear"),
        ("Is it possible for lockers to be used at the rack?", None),
        ("May lockers with their covered rack be used?", None),
        ("Is the covered bicycle rack behind building B has lockers that can be used?", "copies"),
        ("Can lockers of the rack be used for one day?", "gives_away"),
        ("How long may I use the 40 lockers of the rack?", "invents"),
        ("Who built the lockers of the Avocet rack?", "invents"),
        ("Which wine goes with fish and cheese at night?", "off_topic"),
    ],
)
def test_what_nobody_would_ask_is_refused_with_its_reason(question: str, reason: str | None) -> None:
    assert refused(question, FACT, "one day", AROUND) == reason


@pytest.mark.parametrize(
    ("written", "question"),
    [
        ('Question: "How long may I use it?" It is one day.', "How long may I use it?"),
        ("Sure! Here it is:\n\n1. **How long?** \nWhat else?", "How long?"),
        ("Q: How long?", "How long?"),
        ("No question at all", "No question at all"),
        ("", ""),
    ],
)
def test_the_first_question_is_taken_out_of_what_a_model_wrote(written: str, question: str) -> None:
    assert cleaned(written) == question


@pytest.mark.parametrize(
    ("question", "key", "reason"),
    [
        (GOOD, "one day", None),
        ("Who may use the lockers of the bicycle rack?", "one day", "other_kind"),
        ("How many wheels does a bicycle have?", "one day", "off_topic"),
        ("How long may I use the gym and the pool?", "one day", "off_topic"),
        ("How much is a locker of the bicycle rack?", "EUR 3", None),
        ("When may I use lockers of the bicycle rack?", "EUR 3", "other_kind"),
        ("What percentage of lockers in the rack is used?", "5 percent", None),
        ("Until when may lockers of the rack be used?", "30 June", None),
        ("At what height are the lockers of the rack?", "2 m", None),
        ("Who is behind the lockers of the rack?", "Anna Lund", None),
        ("When are the lockers of the rack used?", "Anna Lund", "other_kind"),
        ("Why does the covered rack have lockers?", None, None),
    ],
)
def test_a_model_s_question_asks_for_what_the_passage_says_and_of_what_it_speaks(
    question: str, key: str | None, reason: str | None
) -> None:
    assert refused_of_model(question, FACT, key, "Site guide Getting here", FACT) == reason
