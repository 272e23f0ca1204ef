"""Questions that are answered by all of a list or table rather than by a line of it, and by its steps in order."""

from __future__ import annotations

import re

from agent.questions.question import Question
from agent.text.denials import is_negated
from agent.text.words import Term, form_set, is_generic

_LINKS = r"(?!(?:on|in|of|for|at|by|with|to|from|about|under|after|before|during|and|or)\b)"
_NO_LIST = r"(?!(?:thoughts|odds|news|chances|means|pros|cons|views|feelings|politics|whereabouts)\b)"
_PLURAL = rf"(?:{_LINKS}[\w-]+ ){{0,3}}?{_LINKS}{_NO_LIST}[\w-]*[^\W_s]s"
_EXIST = (
    r"are (?:there|available|offered|supported|possible|accepted|sold)|exist"
    r"|(?:do|does) (?:the |your )?(?!i\b)\w+ (?:have(?! to\b)|offer|sell|do|take|accept|support)"
    r"|can (?:i|we|you) (?:choose|get|book|buy|rent|have)"
)
"""What is asked of all of a kind."""
_ALL = re.compile(
    r"^(?:(?:please|can you|could you|bitte|kannst du)\s+)*(?:"
    r"(?:list|enumerate)\b(?! of\b)"
    r"|(?:name|show(?: me)?|give me|tell me|what are|which are) (?:all|each|every)\b"
    r"|(?:give me |show me )?(?:a |the )?(?:full |complete |whole )?list of\b"
    r"|(?:what|which) " + _PLURAL + r"(?: of [\w-]+(?: [\w-]+)?)? (?:" + _EXIST + r")\b"
    r"|(?:liste|nenne?|zähle?|zeige?)(?: mir)? (?:alle|sämtliche|jede[nrs]?)\b|liste\b"
    r"|welche [\w-]+ (?:gibt es|habt ihr|haben sie)"
    r"|(?:liste|énumère|donne(?:-moi)?|montre(?:-moi)?) (?:tous|toutes)\b"
    r"|(?:lista|enumera|muestra|dime) (?:todos|todas)\b"
    r")",
    re.IGNORECASE,
)
_MAY_MEAN_ALL = re.compile(
    r"^(?:what are (?:the|your|our) " + _PLURAL + r"\W*$"
    r"|quel(?:le)?s sont (?:les|vos)\b|cuáles son (?:los|las|sus)\b)",
    re.IGNORECASE,
)
_SELECTS = re.compile(
    r"\b(?:except|excluding|besides|apart|other than|but|than|more|less|fewer|most|least|over|under|above|below|between"
    r"|before|after|since|until|up|within|\w{3,}est|außer|ausser|mehr|weniger|als|über|unter|zwischen|vor|nach|seit|bis"
    r"|(?:\w+igs|\w+ichs|größ|höchs|bes|kleins|neues|ältes|jüngs|teuers|meis|längs|kürzes|schnells)te[rnms]?"
    r"|sauf|hormis|plus|moins|avant|après|depuis|entre|excepto|salvo|menos|más|mas|antes|después|desde)\b",
    re.IGNORECASE,
)
"""By more than words: what has them is not found by looking for the words of the question."""
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
    return may_want_all(question) or (_ALL.match(question.strip()) is not None and not _chooses(question))


def may_want_all(question: str) -> bool:
    """Whether it may ask so: "what are the risks" can have a sentence for an answer."""
    return _MAY_MEAN_ALL.match(question.strip()) is not None and not _chooses(question)


def _chooses(question: str) -> bool:
    """Whether only some are asked for, and not by words that these have."""
    return is_negated(question) or _SELECTS.search(question) is not None


def wants_steps(question: str) -> bool:
    """Whether a question asks how something is done."""
    return _STEPS.match(question.strip()) is not None and not is_negated(question)


def named_by(question: Question) -> list[Term]:
    """The words that say what a list is of."""
    found = [term for term in question.focus if not is_generic(term)]
    return [term for term in found if term.forms.isdisjoint(_OF_LISTS)]
