"""How a model is asked for a question: by examples, so that a small one knows what is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.improvement.question_sets import Turn

MOST_PASSAGE_CHARS = 1500
INSTRUCTIONS = (
    "You write questions that people ask about their documents. You get the place in a document, a fact that stands "
    "there, and the answer. Write one short question that the fact answers, in the language of the fact, as somebody "
    "would ask it who has not read it. Name what it is about. Do not say the answer. Do not speak of a fact, a text or "
    "a document. Write only the question."
)
_EXAMPLES = (
    (
        ("Travel rules > Trains", "Journeys of more than 3 hours may be booked in first class.", "3 hours"),
        "How long must a train journey be to be booked in first class?",
    ),
    (
        ("Library > Loans", "Members keep a book for up to 21 days.", "21 days"),
        "How many days may I keep a book from the library?",
    ),
    (
        ("Pump P4 > Service", "The oil of the pump is changed by a technician of Nordvik.", "Nordvik"),
        "Who changes the oil of the P4 pump?",
    ),
    (
        ("School > Fees", "The fee for the summer course is EUR 240 and is paid by 1 May.", "EUR 240"),
        "How much is the fee for the summer course?",
    ),
)
PARAMETERS: dict[str, Any] = {"temperature": 0, "max_tokens": 60}


def turns_of(place: Sequence[str], fact: str, answer: str | None) -> list[Turn]:
    """The conversation that ends in what is asked of the model."""
    turns = [Turn(role="system", content=INSTRUCTIONS)]
    for asked, question in _EXAMPLES:
        turns += [Turn(role="user", content=_asked(*asked)), Turn(role="assistant", content=question)]
    where = " > ".join(part for part in place if part)[:300]
    return [*turns, Turn(role="user", content=_asked(where, fact[:MOST_PASSAGE_CHARS], answer or fact[:200]))]


def _asked(place: str, fact: str, answer: str) -> str:
    return f"Place: {place}\nFact: {fact}\nAnswer: {answer}\nQuestion:"
