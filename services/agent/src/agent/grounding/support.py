"""Finds the source span that supports a sentence, or none.

Facts must agree exactly (`agreement.py`); the rest is decided by how much of the sentence's wording the span has, other
words for the same thing included, and by the cosine of both embeddings. The thresholds are those of
docs/decisions/0704-support-threshold.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from agent.grounding.agreement import agrees
from agent.grounding.citations import Support
from agent.ports import Vector
from agent.relevance.lexicon import Lexicon, wording
from agent.relevance.passages import Passage
from agent.text.sentences import Span
from agent.text.words import TOKEN, form_set, forms, has_digit, is_content, names, numbers

MIN_STRENGTH = 0.65
"""Mean of wording and cosine from which a span supports a sentence."""
MIN_HELD = 0.85
"""The share of the sentence's words that the span must have, in these or other words."""
HELD = 0.5
"""The likeness from which a word of the span stands for one of the sentence."""
MIN_OVERLAP_ALONE = 0.8
"""The share of the very words that is enough when there are no embeddings."""
BY_WORDS = 6
"""So many passages are taken for their words alone, whether or not they looked like an answer."""
COMPARED = 3
"""The words of so many passages are learned to check one sentence."""

_RUNNING = frozenset(("sentence", "item"))
_ASSERTING = _RUNNING | {"row"}
"""Headings and questions say nothing that could support a sentence."""


def cosine(one: Vector, other: Vector) -> float:
    """The cosine of two vectors, 0 if one is zero."""
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0


def is_factual(sentence: str) -> bool:
    """Whether a sentence says something that needs support; "Yes." and "Here is the answer:" do not."""
    words = [token for token in TOKEN.findall(sentence) if is_content(token)]
    return len(words) >= 2 or bool(numbers(sentence)) or bool(names(f"x {sentence}"))


def find_candidates(sentence: str, compared: Sequence[Passage], found: Sequence[Passage]) -> list[Passage]:
    """The passages that may support a sentence, in document order: those compared with the question, and of all
    others the ones that share the most words with the sentence."""
    said = form_set(sentence)
    others = sorted(found, key=lambda passage: len(said & passage.forms), reverse=True)[:BY_WORDS]
    kept = {id(passage) for passage in (*compared, *others)}
    return [passage for passage in found if id(passage) in kept]


def words_needed(sentence: str, found: Sequence[Passage], lexicon: Lexicon) -> list[str]:
    """The words whose vectors tell whether a passage says in other words what the sentence says; not yet known ones."""
    said = form_set(sentence)
    near = sorted(found, key=lambda passage: len(said & passage.forms), reverse=True)[:COMPARED]
    there = frozenset[str]().union(*(form_set(passage.in_context) for passage in near))
    missing = [word for word in sorted(wording(sentence)) if forms(word).isdisjoint(there)]
    if not missing:
        return []
    return lexicon.unknown([*missing, *(word for passage in near for word in sorted(wording(passage.in_context)))])


def find_support(
    sentence: str,
    found: Sequence[Passage],
    vectors: Sequence[Vector] | None,
    vector: Vector | None,
    lexicon: Lexicon | None = None,
) -> Support | None:
    """The best supporting span: one passage, or two neighbouring sentences of the same chunk.

    Rows are never joined: a name from one and a number from the next would support what neither says.
    """
    words = lexicon or Lexicon()
    near = [cosine(one, vector) for one in vectors] if vectors is not None and vector is not None else None
    best: Support | None = None
    for at, passage in enumerate(found):
        if passage.unit.kind in _ASSERTING:
            strength = _strength(sentence, passage.text, passage.context, near[at] if near else None, words)
            best = _better(best, passage, passage.span, strength)
    if best is not None:
        return best
    for at, (one, two) in enumerate(pairwise(found)):
        if one.hit is two.hit and {one.unit.kind, two.unit.kind} <= _RUNNING and one.span[1] <= two.span[0]:
            span: Span = (one.span[0], two.span[1])
            likeness = max(near[at], near[at + 1]) if near else None
            strength = _strength(sentence, one.hit.text[slice(*span)], two.context, likeness, words)
            best = _better(best, one, span, strength)
    return best


def _better(best: Support | None, passage: Passage, span: Span, strength: float | None) -> Support | None:
    if strength is None or (best is not None and best.score >= strength):
        return best
    return Support(passage.hit, span, strength)


def _strength(sentence: str, evidence: str, context: str, near: float | None, lexicon: Lexicon) -> float | None:
    """How well a span supports a sentence, 0 to 1; None if it does not."""
    if form_set(sentence).isdisjoint(form_set(evidence)):
        return None
    held = wording_held(sentence, f"{context}\n{evidence}", lexicon if near is not None else None)
    strength = sum(held) / len(held)
    if near is None:
        enough = strength >= MIN_OVERLAP_ALONE
    else:
        strength = (strength + near) / 2
        enough = strength >= MIN_STRENGTH and sum(share >= HELD for share in held) / len(held) >= MIN_HELD
    return strength if enough and agrees(sentence, evidence, context) else None


def wording_held(sentence: str, text: str, lexicon: Lexicon | None) -> list[float]:
    """For each content word of a sentence how much of it a text has, 0 to 1; never empty for a factual sentence."""
    present = form_set(text)
    others = wording(text) if lexicon is not None else frozenset()
    return [
        1.0
        if not forms(token).isdisjoint(present)
        else 0.0
        if lexicon is None or has_digit(token)
        else lexicon.likeness(token.lower(), others)
        for token in TOKEN.findall(sentence)
        if is_content(token)
    ] or [0.0]
