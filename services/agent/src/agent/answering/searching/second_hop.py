"""A second search for what the first hit only leads to: "who directed the film that …" names neither film nor director.

The words are the names of the best hit that the question does not have, and the question's words that this hit lacks.
What it finds takes the last places of the list: the first search is right far more often (decision 0127).
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.questions.question import Question
from agent.text.words import form_set, forms, is_content, names
from contracts.retrieval.search import Hit

MOST_NAMES = 8
"""Names of the first hit; those that come first tell what it is about."""
LEAST_ROOM = 5
"""Hits asked for from which there is room for others."""
GIVEN = 0.3
"""The share of the places that the second search fills."""


def leads_to(question: str, first: Hit) -> str | None:
    """What to search for by words after the first hit; None where it has all of the question, or names nothing new."""
    asked = Question(question)
    known = form_set(f"{first.title}\n{' '.join(first.heading_path)}\n{first.text}")
    lacking = [term.text for term in asked.terms if not term.forms & known]
    if not lacking:
        return None
    own = form_set(question)
    found = (name for name in names(f"{first.title}\n{first.text}") if is_content(name) and not forms(name) & own)
    fresh = list(dict.fromkeys(found))[:MOST_NAMES]
    return " ".join((*fresh, *lacking)) if fresh else None


def joined(first: Sequence[Hit], second: Sequence[Hit], limit: int) -> list[Hit]:
    """The `limit` hits of the first search with those of the second that it lacks in the last places; what stands
    behind them in `first`, which was read beside them, stays there."""
    places = int(limit * GIVEN)
    known = {(hit.collection, hit.chunk_id) for hit in (*first[: limit - places], *first[limit:])}
    fresh = [hit for hit in second if (hit.collection, hit.chunk_id) not in known][:places]
    others = [hit for hit in first[limit - places : limit] if hit.chunk_id not in {one.chunk_id for one in fresh}]
    kept = [*first[: limit - places], *others[: places - len(fresh)]]
    lowest = min(hit.score for hit in kept)  # scores of two searches can't be compared
    found = [hit.model_copy(update={"score": min(lowest, hit.score)}) for hit in fresh]
    return [*kept, *found, *first[limit:]]
