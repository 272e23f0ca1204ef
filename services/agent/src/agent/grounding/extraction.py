"""The extractive answer: the one to three passages that answer best, as they stand in the sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.grounding.agreement import differs
from agent.grounding.citations import Support
from agent.grounding.conflicts import contradicts
from agent.questions.question import Question
from agent.relevance.passages import Passage, readable
from agent.relevance.ranking import Scored, coverage, term_weights
from agent.sanitisation.sanitiser import sanitise
from agent.text.words import form_set

MAX_PASSAGES = 3
CLOSE = 3.5
"""A further passage is shown if its score is at most this much below the best one's (natural log of the odds)."""
SUBJECT = 0.25
"""A further passage is shown if it has this share of the question's subject, of what the first one has of it."""
MAX_CHARACTERS = 420
"""Further passages are shown only as long as all together are no longer than this."""
LEANS_BACK = re.compile(
    r"^(?:it|its|they|their|them|this|that|these|those|he|she|his|her|both|such|however|otherwise|in this case|then"
    r"|after that|also|if not|the latter|the former|below that|above that)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Extract:
    """One sentence or row to show, and the span that it is."""

    text: str
    support: Support
    own_line: bool


def extract(question: Question, ranked: Sequence[Scored], found: Sequence[Passage]) -> list[Extract]:
    """The passages to show, in reading order. `found` has all passages in document order. Empty if there is none."""
    chosen = _choose(question, ranked, found)
    shown: list[Passage] = []
    for passage in chosen:
        before = _before(passage, found)
        if before is not None and LEANS_BACK.match(passage.text) and before not in shown and len(shown) < 3:
            shown.append(before)
        if passage not in shown:
            shown.append(passage)
    order = {id(passage): place for place, passage in enumerate(found)}
    leading = shown[0].hit if shown else None
    ordered = sorted(shown, key=lambda passage: (passage.hit is not leading, order.get(id(passage), 0)))
    return [_extract_of(passage) for passage in ordered]


def _choose(question: Question, ranked: Sequence[Scored], found: Sequence[Passage]) -> list[Passage]:
    chosen: list[Passage] = []
    best = float("-inf")
    for one in ranked:
        if len(chosen) >= MAX_PASSAGES or one.score < best - CLOSE:
            break
        for passage in _answering(question, one.passage, found):
            if _says_nothing(passage, question) or any(_same_words(passage, other) for other in chosen):
                continue
            size = sum(len(other.text) for other in (*chosen, passage))
            if not chosen or (size <= MAX_CHARACTERS and question.suits(passage.text)):
                chosen.append(passage)
                best = max(best, one.score)
    return _with_conflict(question, ranked, _to_the_point(question, ranked, chosen)[:MAX_PASSAGES])


def _to_the_point(question: Question, ranked: Sequence[Scored], chosen: list[Passage]) -> list[Passage]:
    """The first passage, and of the others those that are about what the question asks about, or contradict it."""
    if not chosen:
        return []
    first, weights = chosen[0], term_weights(question.focus, [one.passage for one in ranked])
    least = SUBJECT * coverage(question.focus, weights, first.near_forms)
    return [
        passage
        for passage in chosen
        if coverage(question.focus, weights, passage.near_forms) >= least
        or contradicts(question, ranked, first, passage)
    ]


def _with_conflict(question: Question, ranked: Sequence[Scored], chosen: list[Passage]) -> list[Passage]:
    """The chosen ones; if none of them contradicts the first one, what does takes the last place."""
    if not chosen or any(contradicts(question, ranked, chosen[0], other) for other in chosen[1:]):
        return chosen
    against = (one.passage for one in ranked if contradicts(question, ranked, chosen[0], one.passage))
    other = next(against, None)
    return chosen if other is None else [*chosen[: MAX_PASSAGES - 1], other]


def _answering(question: Question, passage: Passage, found: Sequence[Passage]) -> list[Passage]:
    """The passage, and the next sentence if only that holds what is asked for; for a heading, what stands below it."""
    at = next((place for place, other in enumerate(found) if other is passage), len(found))
    if passage.unit.kind not in ("question", "heading"):
        after = found[at + 1] if at + 1 < len(found) else None
        together = after is not None and after.hit is passage.hit and after.unit.block == passage.unit.block
        if after is not None and together and passage.unit.kind != "row":
            return [passage, after] if question.suits(after.text) and not question.suits(passage.text) else [passage]
        return [passage]
    below = [other for other in found[at + 1 : at + 3] if other.hit is passage.hit]
    return [other for other in below if other.unit.kind not in ("question", "heading")][:2]


def _before(passage: Passage, found: Sequence[Passage]) -> Passage | None:
    at = next((place for place, other in enumerate(found) if other is passage), 0)
    if at == 0:
        return None
    other = found[at - 1]
    together = other.hit is passage.hit and other.unit.block == passage.unit.block
    return other if together and other.unit.kind in ("sentence", "item") else None


def _says_nothing(passage: Passage, question: Question) -> bool:
    """Whether it only repeats the question or the title, as a page header does."""
    return passage.forms <= question.forms | form_set(passage.hit.title) | form_set("page")


def _same_words(one: Passage, other: Passage) -> bool:
    union = one.forms | other.forms
    return bool(union) and len(one.forms & other.forms) / len(union) > 0.85 and not differs(one.text, other.text)


def _extract_of(passage: Passage) -> Extract:
    lines = passage.unit.kind in ("row", "item")
    return Extract(sanitise(readable(passage)), Support(passage.hit, passage.span, 1.0), lines)
