"""Sources that say otherwise than what an answer cites: they are shown beside it, whichever is right."""

from __future__ import annotations

from collections.abc import Sequence

from agent.grounding.agreement import differs, facts
from agent.grounding.citations import Support
from agent.questions.question import Question
from agent.relevance.evidence import Evidence
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored, coverage, term_weights
from agent.text.words import form_set

MAX_SHOWN = 2
ALIKE = 0.6
"""The share of the words, facts apart, that two statements of the same matter have in common."""
NEAR = 2.5
"""How far below the best passage one may be (in its score) that answers the question otherwise."""
AS_WELL = 0.9
"""The share of the question's words that it must have, of what the cited one has of them."""
_STATING = ("sentence", "item", "row")


def find_conflicts(evidence: Evidence, cited: Sequence[Support], read: Sequence[Passage] = ()) -> list[Passage]:
    """Passages that contradict one that is cited, best first; none that is cited itself. Those come first that a
    reading model found to contradict what was written (`read`)."""
    known = [passage for support in cited if (passage := _find_cited(evidence.ranked, support)) is not None]
    fresh = {id(passage): passage for passage in read if not any(passage is other for other in known)}
    found = list(fresh.values())[:MAX_SHOWN]
    for first in known:
        for one in evidence.ranked:
            if len(found) >= MAX_SHOWN:
                return found
            is_new = all(differs(one.passage.text, other.text) for other in (*known, *found))
            if is_new and contradicts(evidence.question, evidence.ranked, first, one.passage):
                found.append(one.passage)
    return found


def contradicts(question: Question, ranked: Sequence[Scored], first: Passage, other: Passage) -> bool:
    """Whether another passage states other facts of the same matter."""
    if other.unit.kind not in _STATING or other.hit is first.hit or not differs(first.text, other.text):
        return False
    own, others = (passage.forms - form_set(" ".join(facts(passage.text))) for passage in (first, other))
    if own and others and len(own & others) / len(own | others) >= ALIKE:
        return True
    return _answers_otherwise(question, ranked, first, other)


def _answers_otherwise(question: Question, ranked: Sequence[Scored], first: Passage, other: Passage) -> bool:
    """Whether both answer a question for one fact, and each with a fact of its own.

    Not within one document, where a rule and its exceptions stand side by side: 27 days of leave, 5 more to buy.
    """
    if first.hit.document_id == other.hit.document_id:
        return False
    score = next((one.score for one in ranked if one.passage is other), float("-inf"))
    if question.wanted in ("statement", "rule") or score < ranked[0].score - NEAR or not question.suits(other.text):
        return False
    weights = term_weights(question.focus, [one.passage for one in ranked])
    own = coverage(question.focus, weights, first.forms | first.context_forms)
    return coverage(question.focus, weights, other.forms | other.context_forms) >= AS_WELL * own


def _find_cited(ranked: Sequence[Scored], support: Support) -> Passage | None:
    begin, end = support.span
    for one in ranked:
        unit = one.passage.unit
        if one.passage.hit is support.hit and begin <= unit.start and unit.end <= end and unit.kind in _STATING:
            return one.passage
    return None
