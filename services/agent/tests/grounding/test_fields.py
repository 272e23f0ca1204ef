from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.conftest import LEAVE, PRICES

from agent.answering.judgement import weigh
from agent.grounding.fields import Value, find_value_support, pointer, values, without
from agent.questions.question import Question
from agent.relevance.evidence import Evidence
from agent.relevance.lexicon import Lexicon
from agent.relevance.passages import passages
from agent.relevance.ranking import rank
from agent.testing.scripted_answers import hit

PAGES = hit(
    "Page 189 of the binder.\n\nMs Lee looks after the gate. Visitors are not allowed in the lab. The gate is "
    "painted on 31 March 2025. Carts never exceed 12 km/h at the gate.",
    "other",
    rank=2,
)


def _evidence(question: str) -> Evidence:
    found = passages([LEAVE, PRICES, PAGES])
    asked = Question(question)
    return weigh(asked, found, found, None, rank(asked, found, []), Lexicon())


def _quote(question: str, value: Any, path: tuple[str, ...] = ("answer",), beside: tuple[str, ...] = ()) -> str | None:
    found = find_value_support(Value(path, value, beside), _evidence(question))
    return None if found is None else found.hit.text[slice(*found.span)]


def test_values_are_found_with_their_places_and_neighbours() -> None:
    given = {"a/b": {"c": None, "d": "x", "e": 2}, "list": ["y", {"f": True}]}
    assert [(pointer(one.path), one.content, one.beside) for one in values(given)] == [
        ("/a~1b/d", "x", ()),
        ("/a~1b/e", 2, ("x",)),
        ("/list/0", "y", ()),
        ("/list/1/f", True, ()),
    ]
    assert values(None) == []
    assert [pointer(one.path) for one in values("x")] == [""]


@pytest.mark.parametrize(
    ("question", "value", "path", "wanted"),
    [
        ("How many days of paid leave?", 27, ("paid_leave_days",), "get 27 days"),
        ("How many days of paid leave?", 27.0, ("days",), "get 27 days"),
        ("How many days of paid leave?", "27 days", ("leave",), "get 27 days"),
        ("How many days of paid leave?", 28, ("days",), None),
        ("Until when can days be carried over?", "30 June", ("carriedOver",), "30 June"),
        ("Until when can days be carried over?", "2024-06-30", ("carriedOver",), None),
        ("When is the gate painted?", "2025-03-31", ("paintedOn",), "31 March 2025"),
        ("How fast may carts go at the gate?", 12, ("limit_kmh",), "never exceed 12"),
        ("What does the Heron S2 cost?", "EUR 189", ("price",), "Heron S2"),
        ("What does the Heron S2 cost?", 189, ("price",), "Heron S2"),
        ("What does the Heron S2 cost?", 1180, ("price",), None),
        ("What does the Heron S2 cost?", "Ms Lee", ("contact",), None),
        ("Who looks after the gate?", "Ms Lee", ("person",), "Ms Lee"),
        ("May visitors come into the lab?", True, ("visitors_allowed",), None),
        ("May visitors come into the lab?", False, ("visitors_allowed",), "not allowed"),
    ],
)
def test_a_value_needs_a_passage_that_says_it_of_what_was_asked(
    question: str, value: Any, path: tuple[str, ...], wanted: str | None
) -> None:
    found = _quote(question, value, path)
    assert (found is None) if wanted is None else (found is not None and wanted in found)


def test_a_value_is_that_of_its_own_field() -> None:
    found = passages([hit("The notice period is 3 months. The trial period is 6 months.", "terms")])
    asked = Question("What are the terms?")
    evidence = weigh(asked, found, found, None, rank(asked, found, []), Lexicon())
    kept = {
        (name, months): find_value_support(Value((f"{name}_period_months",), months), evidence) is not None
        for name in ("notice", "trial")
        for months in (3, 6)
    }
    assert kept == {("notice", 3): True, ("notice", 6): False, ("trial", 3): False, ("trial", 6): True}


def test_a_cell_of_another_row_supports_nothing() -> None:
    assert _quote("List the products.", 1180, ("price",), ("Causeway G1 Solar",)) is not None
    assert _quote("List the products.", 1180, ("price",), ("Heron S2",)) is None


def test_places_are_emptied_or_left_out() -> None:
    given = {"a": 1, "b": [1, 2, {"c": 3}]}
    assert without(given, [("a",), ("b", 1)], ()) == {"a": None, "b": [1, None, {"c": 3}]}
    assert without(given, (), [("a",), ("b", 1)]) == {"b": [1, {"c": 3}]}
    assert without("x", [()], ()) is None
