"""How answers are judged by `make bench-answers`: by strings and spans alone, with none of the agent's own code."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.agent.answer_sets import Case, normal

LONG = 12
"""Words from which an answer string is a passage: then most of its words have to be there, not all in a row."""
MOST = 0.8
SMALL = 4
"""Letters of a word that is compared with a quote; shorter ones say little."""
_REFUSAL = re.compile(
    r"no answer|(?:do|does|did)(?: not|n['’]t) (?:know|contain|mention|provide|say|specify|include|have (?:the|enough))"
    r"|(?:is|are|was)(?: not|n['’]t) (?:mentioned|provided|specified|stated|given|available|in the)"
    r"|(?:cannot|can['’]t|unable to) (?:answer|find|determine|provide)|no (?:information|mention)|not enough",
    re.IGNORECASE,
)
_PLAIN_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+(?:[.,:]\d+)*")


@dataclass
class Outcome:
    """What came of one question."""

    case: Case
    content: str
    abstained: bool
    kind: str = ""
    seconds: float = 0.0
    annotations: list[dict[str, Any]] = field(default_factory=list)
    mismatches: int = 0
    """Quotes that differ from their span."""

    @property
    def right(self) -> bool:
        """The answer is there; or it says that there is none where there is none."""
        if not self.case.answerable:
            return self.abstained
        if self.case.inside_words:
            return not self.abstained and any(normal(answer) in normal(self.content) for answer in self.case.answers)
        return not self.abstained and says(self.content, self.case.answers)

    @property
    def cites_gold(self) -> bool:
        """One of the citations touches a span where the answer stands."""
        return any(map(self._touches_gold, self.annotations))

    def _touches_gold(self, note: dict[str, Any]) -> bool:
        return any(
            note["document_id"] == gold.document and note["start"] < gold.end and gold.start < note["end"]
            for gold in self.case.gold
        )

    @property
    def cites_document(self) -> bool:
        """One of the citations is of a document that holds the answer."""
        return not {note["document_id"] for note in self.annotations}.isdisjoint(
            gold.document for gold in self.case.gold
        )

    @property
    def beside_the_point(self) -> int:
        """How many of its citations touch no span where the answer stands."""
        return sum(not self._touches_gold(note) for note in self.annotations)

    @property
    def shows_both(self) -> bool:
        """Where documents contradict each other: both answers are there."""
        return says(self.content, self.case.answers) and says(self.content, self.case.wrong)


def says(content: str, answers: Sequence[str]) -> bool:
    """Whether one of the answer strings is in a text; of a passage, four fifths of its words."""
    found = f" {normal(content)} "
    words = set(found.split())
    for answer in map(normal, answers):
        parts = answer.split()
        if answer and f" {answer} " in found:
            return True
        if len(parts) > LONG and sum(part in words for part in parts) >= MOST * len(parts):
            return True
    return False


def refuses(content: str) -> bool:
    """Whether a plain model's text says that there is no answer."""
    return not content.strip() or bool(_REFUSAL.search(content))


def supported(outcome: Outcome) -> list[bool]:
    """For each citation whether its quote supports the sentence before it: each number and name, and most words."""
    at = 0
    verdicts = []
    for note in sorted(outcome.annotations, key=lambda note: int(note["index"])):
        sentence = outcome.content[at : note["index"]].removeprefix("\nAnother source says: ").strip()
        at = note["index"] + len(note["marker"])
        sentence = sentence.rpartition("\n")[2]
        if outcome.kind == "generated":  # those before it may stand without a marker
            sentence = re.split(r"(?<=[.!?])\s+", sentence)[-1]
        verdicts.append(_is_in(sentence, f"{note['quote']} {note['title']}"))
    return verdicts


def _is_in(sentence: str, quote: str) -> bool:
    there = set(map(_stem, _PLAIN_WORD.findall(quote.lower())))
    words = _PLAIN_WORD.findall(sentence)
    exact = [word for word in words if word[0].isdigit() or (word[0].isupper() and word != words[0])]
    others = [word for word in words if len(word) >= SMALL]
    if not all(_stem(word.lower()) in there for word in exact):
        return False
    return sum(_stem(word.lower()) in there for word in others) >= MOST * len(others)


def _stem(word: str) -> str:
    return re.sub(r"(?:'s|’s|ies|es|s|ed|ing|ly|e|y)$", "", word) if len(word) > SMALL else word


def share(hits: int, of: int) -> str:
    """A share with its 95 % interval (Wilson)."""
    if not of:
        return "-"
    low, high = interval(hits, of)
    return f"{hits / of:.2f} ({low:.2f}-{high:.2f})"


def interval(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share."""
    share_, spread = hits / of, z * z / of
    middle = (share_ + spread / 2) / (1 + spread)
    half = z * math.sqrt(share_ * (1 - share_) / of + spread / of / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _ratio(pairs: Sequence[tuple[bool, bool]]) -> float:
    return sum(one for one, _ in pairs) / max(1, sum(other for _, other in pairs))


def times_as_often(ours: Sequence[bool], theirs: Sequence[bool], draws: int = 4000) -> str:
    """How many times as often right as the other, on the same questions, with its 95 % interval (bootstrap)."""
    if not sum(theirs):
        return "-"
    pairs = list(zip(ours, theirs, strict=True))
    chance = random.Random(1)
    found = sorted(_ratio(chance.choices(pairs, k=len(pairs))) for _ in range(draws))
    return f"{_ratio(pairs):.2f} ({found[draws // 40]:.2f}-{found[-draws // 40]:.2f})"
