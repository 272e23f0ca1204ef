"""Why a question is not worth a search: plain rules, each with a name that a run counts it under."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.generation.spans import MONEY, MONTHS
from lab.questions.likeness import words_of

LEAST_WORDS, MOST_WORDS, MOST_CHARS = 4, 32, 240
COVERED = 0.75
LEAST_SHARED = 2
COPIED_WORDS = 9
"""So many words in a row as the passage has them are copied."""
_ASKS = re.compile(
    r"^(?:[^?]*\b)?(?:what|when|where|which|who|whom|whose|why|how|is|are|was|were|do|does|did|can|could|may|must|should|"
    r"will|would|has|have)\b",
    re.IGNORECASE,
)
_OF_THE_TEXT = re.compile(
    r"\b(?:passages?|paragraphs?|sentences?|excerpts?|facts?|authors?|context|answers?|the text|the article|"
    r"(?:mentioned|stated|described|given|written|listed) (?:above|below|here)|according to (?:this|the) \w+|"
    r"(?:the|this) (?:document|section|statement))\b",
    re.IGNORECASE,
)
_POINTS = re.compile(
    r"\b(?:this|these|those|they|them|he|she|him|(?<!does )(?<!is )(?<!will )it|it(?! (?:take|cost|possible|allowed))|"
    r"the (?:following|former|latter|same|other))\b",
    re.IGNORECASE,
)
_LITTLE = frozenset((
    "what", "when", "where", "which", "who", "whom", "whose", "why", "how", "is", "are", "was", "were", "do",
    "does", "did", "can", "could", "may", "must", "should", "will", "would", "has", "have", "had", "the", "a",
    "an", "of", "in", "on", "at", "to", "for", "from", "by", "with", "and", "or", "not", "be", "been", "if", "as",
    "per", "you", "your", "i", "my", "me", "we", "our", "us", "many", "much", "long", "often", "there", "any",
    "all", "each", "every", "about", "up", "get",
))  # fmt: skip
_TIMES = r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)"
_ASKS_MONEY = (
    r"how (?:much|expensive)|what\b.*(?:price|cost|fee|amount|limit|budget|deposit|charge|allowance|pay|value)"
)
_ASKS_DAY = r"(?:until |by |from |since )?when\b|(?:on |until |by )?(?:what|which)\b.*(?:date|day|month)"
_ASKS_SHARE = r"what (?:percentage|share|proportion|part)|how (?:much|many)|what\b.*(?:rate|discount|target|level)"
_ASKS_TIME = (
    r"how (?:long|many|much|often|soon)|(?:within|after|for|by|until) (?:what|how|when)|when\b|"
    r"what\b.*(?:period|time|length|notice|interval|duration|age|deadline|minimum|maximum|limit)"
)
_KINDS = tuple(
    (re.compile(pattern), re.compile(asks, re.IGNORECASE))
    for pattern, asks in (
        (MONEY, _ASKS_MONEY),
        (MONTHS, _ASKS_DAY),
        (r"%|percent", _ASKS_SHARE),
        (rf"\b{_TIMES}$", _ASKS_TIME),
        (r"\d", r"(?:\w+ )?(?:how|what|which|when)\b"),
    )
)
"""What stands in an answer, and how one asks for it."""
_ASKS_NAME = re.compile(r"(?:\w+ )?(?:who|whom|whose|which|what|where)\b|how many\b", re.IGNORECASE)
_ATTRIBUTES = frozenset(
    word[:6]
    for word in (
        "amount", "cost", "date", "deadline", "distance", "duration", "height", "length", "limit", "maximum", "minimum",
        "name", "number", "percentage", "period", "price", "purpose", "reason", "size", "temperature", "time", "type",
        "weight", "width", "required", "allowed", "take", "need",
    )
)  # fmt: skip
"""What one asks of things, which a passage need not say."""
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_CAPITAL = re.compile(r"(?<=[a-z,] )[A-Z][\w-]+")


def cleaned(written: str) -> str:
    """The question in what a model wrote: to its first question mark, of the line that has it, without a label."""
    for line in written.strip().splitlines():
        before, mark, _ = line.partition("?")
        if mark:
            bare = re.sub(r"^\W*(?:\d+[.)]\s+|(?:question|q)\s*\d*\s*[:.]\s*)", "", before.strip(), flags=re.IGNORECASE)
            return " ".join(bare.strip("\"'“”*- ").split()) + "?"
    return " ".join(written.split())[:MOST_CHARS]


def refused(question: str, span: str, answer: str | None, passage: str) -> str | None:
    """The reason against a question, or none. `passage` is all that the span stands in, with title and headings."""
    words = question.split()
    if not question.endswith("?") or not _ASKS.match(question):
        return "no_question"
    if not LEAST_WORDS <= len(words) <= MOST_WORDS or len(question) > MOST_CHARS:
        return "too_short_or_long"
    if _OF_THE_TEXT.search(question):
        return "about_the_text"
    if _POINTS.search(question):
        return "unclear"
    if _copies(words_of(question), words_of(span)):
        return "copies"
    if answer is not None and _within(words_of(answer), words_of(question)):
        return "gives_away"
    if _invents(question, passage):
        return "invents"
    return None if _shares(question, passage) else "off_topic"


def refused_of_model(question: str, span: str, key: str | None, place: str, around: str) -> str | None:
    """The reason against a question that a model wrote, beyond those of `refused`: another kind of answer than the
    span has is asked for, or too little of it is in the span and its place, or, where it has much of the span, in what
    is around that. A small model drifts."""
    if key is not None and not _fits(question, key):
        return "other_kind"
    asked, said = content_words(question) - _ATTRIBUTES, content_words(span)
    shared, least = len(asked & said), len(asked) * COVERED
    near = said | content_words(place)
    if shared >= LEAST_SHARED and len(asked & near) >= least:
        return None
    return None if shared > LEAST_SHARED and len(asked & (near | content_words(around))) >= least else "off_topic"


def _fits(question: str, key: str) -> bool:
    """Whether what is asked for can be answered by such a thing."""
    kind = next((asks for pattern, asks in _KINDS if pattern.search(key)), _ASKS_NAME)
    return kind.match(question) is not None


def content_words(text: str) -> set[str]:
    """The words of a text that carry its subject, without endings."""
    return {word[:6] for word in words_of(text) if word not in _LITTLE and len(word) > 1}


def _copies(question: Sequence[str], span: Sequence[str]) -> bool:
    runs = {tuple(span[at : at + COPIED_WORDS]) for at in range(len(span) - COPIED_WORDS + 1)}
    return any(tuple(question[at : at + COPIED_WORDS]) in runs for at in range(len(question) - COPIED_WORDS + 1))


def _within(answer: Sequence[str], question: Sequence[str]) -> bool:
    return bool(answer) and any(
        tuple(question[at : at + len(answer)]) == tuple(answer) for at in range(len(question) - len(answer) + 1)
    )


def _invents(question: str, passage: str) -> bool:
    """Whether it has a number or a name that the passage has not."""
    known = {word.casefold() for word in re.findall(r"[\w-]+", passage)}
    numbers = set(_NUMBER.findall(passage))
    if any(number not in numbers for number in _NUMBER.findall(question)):
        return True
    return any(name.casefold() not in known for name in _CAPITAL.findall(question))


def _shares(question: str, passage: str) -> bool:
    asked = content_words(question)
    return len(asked & content_words(passage)) * 2 >= len(asked) > 0
