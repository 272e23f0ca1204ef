"""Makes a follow-up question stand alone, by rules: a small model asked to do it drops names and adds its own.

Three shapes of follow-up are told apart. An elliptic one ("And to Germany?") takes the frame of the question before;
one that points back ("How long is its warranty?") gets the earlier subject beside it; one that names no subject of
its own ("How much?") is read together with the question before. Everything else already stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.questions.question import Question
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


def condense(question: str, earlier: Sequence[str]) -> str:
    """The question as it would be asked without the conversation before it."""
    alone = ""
    for asked in (*earlier, question):
        alone = _standing_alone(asked, alone) if alone else asked
    return alone


def _standing_alone(question: str, before: str) -> str:
    body = _LEAD.sub("", question).strip()
    if _ELLIPTIC.match(question) and not _COMPLETE.search(body):
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
    if old is None or not names(f"x {fresh}"):
        return f"{before} {body}"
    start, end = old
    return before[:start] + fresh + before[end:]


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
