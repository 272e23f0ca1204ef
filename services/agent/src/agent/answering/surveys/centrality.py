"""Chooses the sentences that say most of what a document says: near its middle, far from each other."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.grounding.extraction import LEANS_BACK
from agent.ports import Vector
from agent.relevance.passages import Passage
from agent.text.furniture import is_furniture
from agent.text.words import count_words, is_content, terms, words

MIN_WORDS = 8
MAX_CHARACTERS = 1_400
"""Of all sentences together."""
REPEATED = 0.5
"""How much being like a sentence that is chosen counts against one."""
LEADING = 4
LEADS, SECTION, PARAGRAPH = 0.08, 0.1, 0.06
"""What the first sentences of a document, of a section and of a paragraph have before others."""
TITLE = 0.5
FULL_WORDS, SAYING = 18, 0.2
"""Up to so many words a sentence says the more, the longer it is."""
FACTS, TELLING = 3, 0.15
"""Up to so many names and numbers a sentence says the more, the more it has."""
_HEADER_LINE = re.compile(r"^[\w /-]{1,30}:\s")
"""`Date: 3 November`, as documents begin and mails do."""
_ABOUT_ITSELF = re.compile(
    r"^(?:(?:Document|Report|Version|Policy) [A-Z0-9]|Owner\b|Author\b|Approved (?:by|on)|Published\b"
    r"|Review(?:ed)? (?:held|on|by)|In force\b|Effective (?:from|date)|Last (?:updated|changed|reviewed)"
    r"|Stand:|Gültig (?:ab|seit)|Verfasser)"
)
"""A document's number, owner and dates."""
_SPEAKER = re.compile(r"^[A-Z][A-Z .]{2,30}:\s")
"""`THE CHAIR: `, as in minutes taken word for word: what follows answers somebody."""
_OF_ONESELF = re.compile(r"\b(?:I|I['’](?:m|d|ll|ve)|me|my|ich|mir|mich)\b")
_GOES_ON = re.compile(r"(?:And|But|So|Or|Now|Look|Well|Folks|Because|Und|Aber|Also|Denn|Nun)\b(?!-)", re.IGNORECASE)
"""How a speaker goes on."""
_GREETS = re.compile(
    r"(?:Mr|Mrs|Ms|Madam|Ladies|Dear|Thank you|Welcome|Good (?:morning|evening|afternoon)|My fellow|Meine Damen"
    r"|Liebe[rs]?)\b"
)
_PAGE_LINE = re.compile(r"\b(?:page|seite) \d+(?: (?:of|von) \d+)?\b|©|\ball rights reserved\b", re.IGNORECASE)


def tells(passage: Passage) -> bool:
    """Whether a passage is a sentence that can stand alone: no heading, row, header or page line, nothing that leans
    on the sentence before it, no remark of a speaker that names nothing."""
    text = passage.text.strip()
    if passage.unit.kind not in ("sentence", "item") or count_words(text) < MIN_WORDS or text.endswith((":", ",")):
        return False
    if is_furniture(text) or _PAGE_LINE.search(text) or LEANS_BACK.match(text) or _ABOUT_ITSELF.match(text):
        return False
    if (_HEADER_LINE.match(text) and not text.endswith(".")) or _SPEAKER.match(text):
        return False
    if _OF_ONESELF.search(text) and _facts(text) < FACTS:
        return False
    if passage.unit.kind == "sentence" and (text[0].islower() or _GOES_ON.match(text) or _GREETS.match(text)):
        return False
    return text[-1] in ".!…。！۔।\"”“»«」』)'" or passage.unit.kind == "item"


def choose(
    found: Sequence[Passage],
    vectors: Sequence[Vector] | None,
    title: Vector | None,
    count: int,
    unrelated: float = 0.0,
) -> list[Passage]:
    """The `count` passages that say most, in their old order; by words alone where there are no vectors.

    What a document says most of, what its title names, and what its sections begin with counts for a passage. Cosines
    count from the one that their model gives `unrelated` texts.
    """
    if not found:
        return []
    matrix = _unit(np.stack(vectors)) if vectors else _word_vectors(found)
    middle = _unit(matrix.mean(axis=0, keepdims=True))[0]
    unrelated = unrelated if vectors else 0.0
    worth = _counted(matrix @ middle, unrelated) + np.array([_place(found, at) for at in range(len(found))])
    if vectors and title is not None:
        worth += TITLE * _counted(matrix @ _unit(title[np.newaxis])[0], unrelated)
    chosen: list[int] = []
    size = 0
    closeness = np.zeros(len(found))
    for _ in range(min(count, len(found))):
        scores = worth - REPEATED * closeness
        scores[chosen] = -np.inf
        best = int(np.argmax(scores))
        size += len(found[best].text)
        if chosen and size > MAX_CHARACTERS:
            break
        chosen.append(best)
        closeness = np.maximum(closeness, _counted(matrix @ matrix[best], unrelated))
    return [found[at] for at in sorted(chosen)]


def _place(found: Sequence[Passage], at: int) -> float:
    """What a passage has before others by its place, and by how much it says."""
    one = found[at]
    before = found[at - 1] if at else None
    section = before is None or before.heading != one.heading
    paragraph = before is None or (before.hit, before.unit.block) != (one.hit, one.unit.block)
    full = min(1.0, count_words(one.text) / FULL_WORDS)
    facts = min(1.0, _facts(one.text) / FACTS)
    return LEADS * (at < LEADING) + SECTION * section + PARAGRAPH * paragraph + SAYING * full + TELLING * facts


def _facts(text: str) -> int:
    """How many names and numbers it has."""
    return sum(term.distinctive for term in terms(text))


def _counted(cosines: NDArray[np.float32], unrelated: float) -> NDArray[np.float32]:
    return (cosines - unrelated) / (1 - unrelated)


def _unit(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.maximum(lengths, 1e-9), dtype=np.float32)


def _word_vectors(found: Sequence[Passage]) -> NDArray[np.float32]:
    """Vectors of the words that at least two passages have."""
    said = [{word.lower() for word in words(one.text) if is_content(word)} for one in found]
    every = sorted({word for each in said for word in each})
    matrix = np.array([[float(word in each) for word in every] for each in said], dtype=np.float32)
    return _unit(matrix) if every else np.ones((len(found), 1), dtype=np.float32)
