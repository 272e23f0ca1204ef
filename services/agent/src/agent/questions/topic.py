"""Questions for whatever is said of a topic: "what does the guide say about parking?", "tell me about insulin prices".

Any passage about the topic answers them, which no passage does in the way in which one answers "how much is it?".
"""

from __future__ import annotations

import re

from agent.questions.question import Question
from agent.text.words import is_generic

MAX_CHARACTERS = 120
_ABOUT = r"(?:about|on|regarding|concerning)"
_FACTS = r"(?:anything|something|(?:any |some )?(?:information|info|details|rules?|polic(?:y|ies)|guidance))"
_FACTS_DE = r"(?:etwas|irgendetwas|informationen|infos|angaben|regeln|vorgaben)"
_ABOUT_DE = r"(?:über|zu[mr]?|von)"
_SAYING = r"(?:say|said|tell (?:me|us)|told us|mention(?:ed)?|written|stated?|specif(?:y|ied))"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"what (?:do|does|did|has|have|had|is|are|was|were)\b.{{0,60}}? {_SAYING} {_ABOUT} (?P<topic>.+)",
        rf"(?:please )?tell me (?:more |something |everything |all )?{_ABOUT} (?P<topic>.+)",
        rf"(?:is|are) there {_FACTS}(?: said| written)? (?:{_ABOUT}|for) (?P<topic>.+)",
        rf"do (?:you|we|they) have {_FACTS} {_ABOUT} (?P<topic>.+)",
        rf"what (?:is there|do (?:you|we) (?:know|have)) {_ABOUT} (?P<topic>.+)",
        rf"{_FACTS} {_ABOUT} (?P<topic>.+)",
        rf"was (?:sag(?:t|te|en)|steht|stand|schreib(?:t|en)|wissen|gibt es)\b.{{0,60}}? {_ABOUT_DE} (?P<topic>.+)",
        rf"erzähl(?:e|en sie)? mir (?:etwas |mehr |alles )?{_ABOUT_DE} (?P<topic>.+)",
        rf"gibt es {_FACTS_DE} {_ABOUT_DE} (?P<topic>.+)",
    )
)
_ASKS = re.compile(
    r"\b(?:how|when|where|who|whom|whose|what|which|why|whether|if|wie|wann|wo|wer|was|welche[nmrs]?|warum|ob)\b",
    re.IGNORECASE,
)
"""A topic that is a question asks for more than that it is spoken of."""


def topic_of(question: str) -> Question | None:
    """What a question asks about as a whole; None where it asks for something of it."""
    body = " ".join(question.split()).rstrip(" ?!.")
    for pattern in _PATTERNS:
        if (found := pattern.fullmatch(body)) is None:
            continue
        topic = Question(found["topic"])
        names = len(topic.text) <= MAX_CHARACTERS and any(not is_generic(term) for term in topic.terms)
        return topic if names and not _ASKS.search(topic.text) else None
    return None
