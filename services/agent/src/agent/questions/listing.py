"""Questions that are answered by all of a list or table rather than by a line of it, and by its steps in order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.questions.question import Question
from agent.text.words import Term, form_set, is_generic

_PLURAL = r"(?:[\w-]+ ){0,3}?[\w-]{2,}s"
_ALL = re.compile(
    r"^(?:(?:please|can you|could you|bitte|kannst du)\s+)*(?:"
    r"(?:list|enumerate)\b(?! of\b)"
    r"|(?:name|show(?: me)?|give me|tell me|what are|which are) (?:all|each|every)\b"
    r"|(?:give me |show me )?(?:a |the )?(?:full |complete |whole )?list of\b"
    r"|what are (?:the|your|our) " + _PLURAL + r"\W*$"
    r"|(?:what|which) " + _PLURAL + r" (?:are there|are available|are offered|do you (?:have|offer|sell|do|take|accept)"
    r"|do we have|does (?:it|he|she|\w+) (?:have|offer)|can i (?:choose|get|book|buy|rent))\b"
    r"|(?:liste|nenne?|zähle?|zeige?)(?: mir)? (?:alle|sämtliche|jede[nrs]?)\b|liste\b"
    r"|welche [\w-]+ (?:gibt es|habt ihr|haben sie)"
    r"|(?:liste|énumère|donne(?:-moi)?|montre(?:-moi)?) (?:tous|toutes)\b|quels sont (?:les|vos)"
    r"|quelles sont (?:les|vos)"
    r"|(?:lista|enumera|muestra|dime) (?:todos|todas)\b|cuáles son (?:los|las|sus)"
    r")",
    re.IGNORECASE,
)
_STEPS = re.compile(
    r"^(?:how (?:do|does|can|could|should|would|to)\b|(?:what are )?(?:the )?steps\b|what (?:do|should) i do\b"
    r"|wie (?:kann|soll|muss|mache?|gehe?|\w+e) ich\b|wie (?:geht|funktioniert)\b|was muss ich tun\b"
    r"|comment\b|cómo\b)",
    re.IGNORECASE,
)
_OF_LISTS = form_set(
    "list lists step steps option options kind kinds sort sorts type types item items entry entries thing things"
    " every all full complete whole overview there available alle sämtliche liste todos todas tous toutes"
)
"""Words by which a list is asked for, not what it is of."""


def wants_all(question: str) -> bool:
    """Whether a question asks for all of a list."""
    return _ALL.match(question.strip()) is not None


@dataclass(frozen=True, slots=True)
class Extreme:
    """What has most or least of something among its like."""

    word: str
    """The word that says so: "cheapest"."""
    column: re.Pattern[str] | None
    """The columns that hold it; None: what the question names."""
    most: bool


_PRICE = re.compile(r"price|cost|fee|amount|preis|kosten|prix|precio", re.IGNORECASE)
_WEIGHT = re.compile(r"weight|mass|gewicht|poids|peso", re.IGNORECASE)
_EXTREMES: tuple[tuple[str, re.Pattern[str] | None, bool], ...] = (
    (r"cheapest|least expensive|günstigste[rnms]?|billigste[rnms]?", _PRICE, False),
    (r"most expensive|priciest|dearest|teuerste[rnms]?", _PRICE, True),
    (r"lightest|leichteste[rnms]?", _WEIGHT, False),
    (r"heaviest|schwerste[rnms]?", _WEIGHT, True),
    (r"(?:the )?(?:fewest|least|lowest|smallest)|niedrigste[rnms]?", None, False),
    (r"(?:the )?(?:most|highest|largest|biggest)|höchste[rnms]?|meisten", None, True),
)
_EXTREME_WORDS = tuple((re.compile(rf"\b(?:{words})\b", re.I), column, most) for words, column, most in _EXTREMES)
_ASKS_WHICH = re.compile(r"^\W*(?:which|what|whats|what's|who|welche[rsmn]?|was|wer)\b", re.IGNORECASE)


def extreme_of(question: str) -> Extreme | None:
    """What a question asks for the most or the least of: "whats the cheapest bike", "which team has the most cups"."""
    if _ASKS_WHICH.match(question) is None:
        return None
    for words, column, most in _EXTREME_WORDS:
        if (found := words.search(question)) is not None:
            return Extreme(found.group(), column, most)
    return None


def wants_steps(question: str) -> bool:
    """Whether a question asks how something is done."""
    return _STEPS.match(question.strip()) is not None


def named_by(question: Question) -> list[Term]:
    """The words that say what a list is of."""
    found = [term for term in question.focus if not is_generic(term)]
    return [term for term in found if term.forms.isdisjoint(_OF_LISTS)]
