"""Finds the source span that supports a sentence, or none.

Numbers, names and negation must agree exactly; the rest is decided by the share of the sentence's words that the
span has, and by the cosine of both embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from agent.citations import Support
from agent.passages import Passage
from agent.ports import Vector
from agent.sentences import Span
from agent.words import TOKEN, form_set, forms, is_content, is_negated, names, negated, numbers

MIN_OVERLAP = 0.5
MIN_STRENGTH = 0.62
"""Mean of word overlap and cosine from which a span supports a sentence."""
MIN_OVERLAP_ALONE = 0.75
"""The word overlap that is enough when there are no embeddings."""

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


def support(
    sentence: str, found: Sequence[Passage], vectors: Sequence[Vector] | None, vector: Vector | None
) -> Support | None:
    """The best supporting span: one passage, or two neighbouring sentences of the same chunk.

    Rows are never joined: a name from one and a number from the next would support what neither says.
    """
    near = [cosine(one, vector) for one in vectors] if vectors is not None and vector is not None else None
    best: Support | None = None
    for at, passage in enumerate(found):
        if passage.unit.kind in _ASSERTING:
            likeness = near[at] if near else None
            best = _better(best, passage, passage.span, _strength(sentence, passage.text, passage.context, likeness))
    if best is not None:
        return best
    for at, (one, two) in enumerate(pairwise(found)):
        if one.hit is two.hit and {one.unit.kind, two.unit.kind} <= _RUNNING:
            span: Span = (one.span[0], two.span[1])
            likeness = max(near[at], near[at + 1]) if near else None
            strength = _strength(sentence, one.hit.text[slice(*span)], two.context, likeness)
            best = _better(best, one, span, strength)
    return best


def _better(best: Support | None, passage: Passage, span: Span, strength: float | None) -> Support | None:
    if strength is None or (best is not None and best.score >= strength):
        return best
    return Support(passage.hit, span, strength)


def _same_denials(sentence: str, evidence: str) -> bool:
    """Whether both deny the same: what one denies and the other says is a contradiction."""
    if not is_negated(sentence):
        return not is_negated(evidence)
    if not is_negated(evidence):
        return False
    denied, denied_there = negated(sentence), negated(evidence)
    if not denied <= negated(evidence, reach=3):
        return False
    return not (denied_there & form_set(sentence)) - negated(sentence, reach=3)


def _strength(sentence: str, evidence: str, context: str, near: float | None) -> float | None:
    """How well a span supports a sentence, 0 to 1; None if it does not."""
    whole = f"{context}\n{evidence}"
    if not numbers(sentence) <= numbers(whole) or not _same_denials(sentence, evidence):
        return None
    present = form_set(whole)
    if any(forms(name).isdisjoint(present) for name in names(sentence)):
        return None
    words = [forms(token) for token in TOKEN.findall(sentence) if is_content(token)]
    if not words or form_set(sentence).isdisjoint(form_set(evidence)):
        return None
    overlap = sum(not word.isdisjoint(present) for word in words) / len(words)
    if near is None:
        return overlap if overlap >= MIN_OVERLAP_ALONE else None
    strength = (overlap + near) / 2
    return strength if overlap >= MIN_OVERLAP and strength >= MIN_STRENGTH else None
