"""Makes a follow-up question stand alone, by rules: a small model asked to do it drops names and adds its own.

Three shapes of follow-up are told apart. An elliptic one ("And to Germany?") takes the frame of the question before;
one that points back ("How long is its warranty?") gets the earlier subject beside it; one that names no subject of
its own ("How much?") is read together with the question before. Everything else already stands alone, but for a
greeting before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.questions.question import Question
from agent.questions.small_talk import without_greeting
from agent.text.words import TOKEN, is_generic, names

_LEAD = re.compile(
    r"^\s*(?:and what about|what about|how about|and|or|but|so|ok(?:ay)?|then|also)\b[\s,]*", re.IGNORECASE
)
_ELLIPTIC = re.compile(r"^\s*(?:and|or|but|what about|how about)\b", re.IGNORECASE)
_COMPLETE = re.compile(
    r"\b(?:what|when|where|who|whom|whose|which|why|how|is|are|was|were|do|does|did|can|could|may|must|should|will|"
    r"would|has|have)\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|theirs|he|him|his|she|her|those|these|the same|that one|this one|the other|"
    r"the former|the latter|(?:this|that)(?=\s*(?:[?.!,]|$|cost|apply|include|cover|mean|take|work|happen|valid)))\b",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(r"^(?:in|on|at|to|for|from|of|with|by|the|a|an|is|are)\s+", re.IGNORECASE)
_CLAUSE = re.compile(
    r"(?<=[a-z]) (?:who|which|that|whose|whom|where)\b.*|^(?:if|when|while|unless|because)\b[^,]*$", re.I
)
"""A clause about a thing, or about when the question holds: it asks nothing."""
_PLACED = re.compile(r"^(?P<preposition>in|on|at|to|for|from|of|with|by|during|after|before)\s", re.IGNORECASE)
_END = r"\s(?:(?:the|a|an|my|our|your|this)\s)?[\w-]+(?:\s[\w-]+)?$"
"""A preposition's object at the end of a question: one word or two."""
_DETERMINED = re.compile(r"(?P<before>[\w'’]+)\s(?P<thing>(?:the|a|an|my|our|your|this|these)\s)", re.IGNORECASE)
_OBJECT = re.compile(r"^(?:the|a|an|my|our|your|this|these)\s", re.IGNORECASE)
_COPULAS = frozenset(("is", "are", "was", "were", "what's", "whats", "be"))
_PREPOSITIONS = frozenset(
    ("in", "on", "at", "to", "for", "from", "of", "with", "by", "during", "after", "before", "about")
)


def condense(question: str, earlier: Sequence[str]) -> str:
    """The question as it would be asked without the conversation before it."""
    alone = ""
    for asked in (*earlier, question):
        said = without_greeting(asked)
        alone = _standing_alone(said, alone) if alone else said
    return alone


def _standing_alone(question: str, before: str) -> str:
    body = _LEAD.sub("", question).strip()
    if _ELLIPTIC.match(question) and not _COMPLETE.search(_CLAUSE.sub("", body)):
        return _in_the_frame_of(body, before)
    if _POINTS_BACK.search(question):
        return _with_subject(question, before)
    if all(is_generic(term) for term in Question(question).terms):
        return f"{_last_sentence(before)} {question}"
    return question


def _in_the_frame_of(body: str, before: str) -> str:
    """The question before, with its last name (if both have one) replaced by the new one."""
    fresh = body.rstrip("?!. ")
    while _PREPOSITION.match(fresh):
        fresh = _PREPOSITION.sub("", fresh)
    old = _last_name(before)
    if old is not None and names(f"x {fresh}"):
        start, end = old
        return before[:start] + fresh + before[end:]
    bare = before.rstrip("?!. ")
    place = _place_of(body, bare)
    return f"{before} {body}" if place is None else bare[:place] + body


def _place_of(body: str, before: str) -> int | None:
    """From where on an ellipse takes the place of what the question before said: what has the same preposition ("and in
    Denmark?"), or the thing that it asked about ("and the list of visitors?"). None if it adds to the question.
    """
    placed = _PLACED.match(body)
    if placed is not None:
        found = re.search(rf"\b{placed['preposition']}{_END}", before, re.IGNORECASE)
        return found.start() if found else None
    if not _OBJECT.match(body):
        return None
    things = list(_DETERMINED.finditer(before))
    asked = next((one for one in things if one["before"].lower() not in _COPULAS | _PREPOSITIONS), None)
    within = [one for one in things if one["before"].lower() in _PREPOSITIONS]
    chosen = asked or (within[-1] if within else things[0] if things else None)
    return chosen.start("thing") if chosen else None


def _with_subject(question: str, before: str) -> str:
    """The question with what the earlier one was about in brackets."""
    said = {token.lower() for token in TOKEN.findall(question)}
    subject = names(before) or [term.text for term in Question(before).focus]
    missing = [word for word in dict.fromkeys(subject) if word.lower() not in said]
    if not missing:
        return question
    bare = question.rstrip()
    ending = "?" if bare.endswith("?") else ""
    return f"{bare.removesuffix('?')} ({' '.join(missing)}){ending}"


def _last_name(text: str) -> tuple[int, int] | None:
    """The span of the last run of neighbouring names."""
    named = set(names(text))
    span: tuple[int, int] | None = None
    for match in TOKEN.finditer(text):
        if match.group() in named:
            joined = span is not None and not text[span[1] : match.start()].strip()
            span = (span[0] if joined and span else match.start(), match.end())
    return span


def _last_sentence(text: str) -> str:
    return re.split(r"(?<=[.!])\s+", text.strip())[-1]
