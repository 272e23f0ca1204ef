"""Finds the source span that supports a sentence, or none.

Facts must agree exactly (`agreement.py`); the rest is decided by how much of the sentence's wording the span has, other
words for the same thing included, and by the cosine of both embeddings. The thresholds are those of
docs/decisions/0704-support-threshold.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from agent.grounding.agreement import agrees
from agent.grounding.citations import Support
from agent.ports import Vector
from agent.relevance.lexicon import Lexicon, wording
from agent.relevance.passages import Passage
from agent.text.scripts import is_piece
from agent.text.sentences import Span
from agent.text.words import form_set, forms, has_digit, is_content, names, numbers, words

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
FALLING_SHORT = 6
"""So many spans with too little of a sentence's wording are looked at for their facts."""

_RUNNING = frozenset(("sentence", "item"))
ASSERTING = _RUNNING | {"row"}
"""Headings and questions say nothing that could support a sentence."""


@dataclass(frozen=True, slots=True)
class AgreeingSpan:
    """A span with whose facts a sentence agrees, and what it stands under."""

    passage: Passage
    """The passage that it is; of two sentences the first."""
    span: Span
    text: str
    context: str
    strength: float
    is_enough: bool
    """Whether it supports the sentence by its wording."""

    @property
    def support(self) -> Support:
        """As it is cited."""
        return Support(self.passage.hit, self.span, self.strength)


def cosine(one: Vector, other: Vector, unrelated: float = 0.0) -> float:
    """The cosine of two vectors, 0 if one is zero; counted from the one that their model gives unrelated texts."""
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return (float(one @ other) / length - unrelated) / (1 - unrelated) if length else 0.0


def is_factual(sentence: str) -> bool:
    """Whether a sentence says something that needs support; "Yes." and "Here is the answer:" do not."""
    said = sum(0.5 if is_piece(word) else 1 for word in words(sentence) if is_content(word))
    return said >= 2 or bool(numbers(sentence)) or bool(names(f"x {sentence}"))


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
    first = next(find_spans(sentence, found, vectors, vector, lexicon), None)
    return first.support if first is not None else None


def find_spans(
    sentence: str,
    found: Sequence[Passage],
    vectors: Sequence[Vector] | None,
    vector: Vector | None,
    lexicon: Lexicon | None = None,
    *,
    falling_short: bool = False,
    unrelated: float = 0.0,
) -> Iterator[AgreeingSpan]:
    """The spans that support a sentence, best first; with `falling_short` then also the best of those that agree in all
    facts but have too little of its wording, so that something else must say whether they mean it. `unrelated` is the
    cosine of texts that have nothing to do with each other."""
    words = lexicon or Lexicon()
    near = [cosine(one, vector, unrelated) for one in vectors] if vectors is not None and vector is not None else None
    alone = [
        AgreeingSpan(passage, passage.span, passage.text, passage.context, *measured)
        for at, passage in enumerate(found)
        if passage.unit.kind in ASSERTING
        for measured in [_measure(sentence, passage.text, passage.context, near[at] if near else None, words)]
        if measured is not None
    ]
    supported = False
    for span in _agreeing(sentence, [one for one in alone if one.is_enough]):
        supported = True
        yield span
    if supported and not falling_short:
        return
    joined = list(_joined(sentence, found, near, words))
    if not supported:
        yield from _agreeing(sentence, [one for one in joined if one.is_enough])
    if falling_short:
        yield from _agreeing(sentence, [one for one in (*alone, *joined) if not one.is_enough], FALLING_SHORT)


def _joined(
    sentence: str, found: Sequence[Passage], near: Sequence[float] | None, words: Lexicon
) -> Iterator[AgreeingSpan]:
    """Two neighbouring sentences at a time."""
    for at, (one, two) in enumerate(pairwise(found)):
        if one.hit is two.hit and {one.unit.kind, two.unit.kind} <= _RUNNING and one.span[1] <= two.span[0]:
            span: Span = (one.span[0], two.span[1])
            text = one.hit.text[slice(*span)]
            measured = _measure(sentence, text, two.context, max(near[at], near[at + 1]) if near else None, words)
            if measured is not None:
                yield AgreeingSpan(one, span, text, two.context, *measured)


def _agreeing(sentence: str, spans: Sequence[AgreeingSpan], most: int | None = None) -> Iterator[AgreeingSpan]:
    """Those of the `most` best spans with which the facts agree."""
    best = sorted(spans, key=lambda one: one.strength, reverse=True)[:most]
    return (one for one in best if agrees(sentence, one.text, one.context))


def _measure(sentence: str, text: str, context: str, near: float | None, lexicon: Lexicon) -> tuple[float, bool] | None:
    """How well a text's wording supports a sentence, 0 to 1, and whether that is enough; None if it shares none."""
    if form_set(sentence).isdisjoint(form_set(text)):
        return None
    held = wording_held(sentence, f"{context}\n{text}", lexicon if near is not None else None)
    strength = sum(held) / len(held)
    if near is None:
        return strength, strength >= MIN_OVERLAP_ALONE
    strength = (strength + near) / 2
    return strength, strength >= MIN_STRENGTH and sum(share >= HELD for share in held) / len(held) >= MIN_HELD


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
        for token in words(sentence)
        if is_content(token)
    ] or [0.0]
