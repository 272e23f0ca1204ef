"""Makes a follow-up question stand alone, by rules: a small model asked to do it drops names and adds its own.

Three shapes of follow-up are told apart. An elliptic one ("And to Germany?") takes the frame of the question before;
one that points back ("How long is its warranty?") gets the earlier subject beside it; one that names no subject of
its own ("How much?") is read together with the question before. Everything else already stands alone, but for a
greeting before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.questions.follow_ups import FollowUps, follow_ups_of
from agent.questions.question import Question
from agent.questions.small_talk import without_greeting
from agent.text.words import TOKEN, is_generic, names

_ARTICLE = re.compile(r"^(?:the|a|an|is|are)\s+", re.IGNORECASE)
_CLAUSE = re.compile(
    r"(?<=[a-z]) (?:who|which|that|whose|whom|where)\b.*|^(?:if|when|while|unless|because)\b[^,]*$", re.I
)
"""A clause about a thing, or about when the question holds: it asks nothing."""
_AUXILIARIES = r"(?:do|does|did|can|could|must|may|should|will|would)"
_VERBS = (
    r"(?:have|has|cost|take|need|get|give|weigh|last|include|cover|offer|mean|say|work|start|begin|end|open|close|play"
    r"|make|do|use|come|go|run|pay|help|measure|support|expire|apply|live|keep|collect|sell|buy|share|store|look|eat"
    r"|fly|breed|win|lose|send|ship|deliver|accept|charge|require|allow|contain|hold|happen|be)"
)
_SUBJECT = re.compile(
    rf"\b{_AUXILIARIES}\s(?!(?:i|we|you|it|they|he|she|one|there|this|that)\b)"
    rf"(?P<thing>[\w'’-]++(?:\s[\w'’-]++){{0,3}}?)(?=\s{_VERBS}\b)",
    re.IGNORECASE,
)
"""Who or what does what the question asks about: `the flyers` of "how many cups do the flyers have"."""
_VERB = re.compile(rf"{_VERBS}", re.IGNORECASE)
_COMPLEMENT = re.compile(r"\s(?:of|in|for|at|on|with)\s.+$", re.IGNORECASE)
_POSSESSOR = re.compile(r"(?<![\w-])(?P<who>[\w-]{1,60}(?:\s[\w-]{1,60})?)['’]s\s", re.IGNORECASE)
_RATE = re.compile(r"\s(?:per|pro)\s[\w-]+", re.IGNORECASE)
"""The unit that something is counted by, `per night`: it names no thing that a bare word can stand for."""
_POSSESSIVE = re.compile(r"\b(?:its|his|her|their)\b", re.IGNORECASE)
_OPENS = re.compile(rf".*\b{_AUXILIARIES}|(?:is|are|was|were)", re.IGNORECASE | re.DOTALL)
"""What stands before who or what does something, or is something."""
_COPULAS = frozenset(("is", "are", "was", "were", "what's", "whats", "be", "ist", "sind", "est", "sont", "es", "son"))
_MAX_BARE = 4
"""Words of an ellipse that can stand for a single thing."""
MAX_LOOKED_AT = 2_000
"""Characters of a message: a longer one stands alone, and only its beginning is what another leans on."""


def condense(question: str, earlier: Sequence[str]) -> str:
    """The question as it would be asked without the conversation before it."""
    alone = ""
    for asked in (*earlier, question):
        said = without_greeting(asked)
        leans = alone and len(said) <= MAX_LOOKED_AT
        alone = _standing_alone(said, alone[:MAX_LOOKED_AT]) if leans else said
    return alone


def _standing_alone(question: str, before: str) -> str:
    words = follow_ups_of(before)
    body = words.lead.sub("", question).strip() or question
    if words.elliptic.match(question) and not words.complete.search(_CLAUSE.sub("", body)):
        if _POSSESSIVE.search(body):
            return _with_subject(body, before)
        return _in_the_frame_of(body, before, words)
    if words.points_back.search(question):
        return _with_subject(body, before)
    if all(is_generic(term) for term in Question(question).terms):
        return f"{_last_sentence(before)} {question}"
    return question


def _in_the_frame_of(body: str, before: str, words: FollowUps) -> str:
    """The question before, with its last name (if both have one) replaced by the new one."""
    fresh = body.rstrip("?!. ")
    while (bare := _ARTICLE.sub("", words.placed.sub("", fresh))) != fresh:
        fresh = bare
    in_place = words.nouns_are_names and (words.placed.match(body) or words.object.match(body))
    old = None if in_place else _last_name(before)
    if old is not None and names(f"x {fresh}"):
        start, end = old
        return before[:start] + fresh + before[end:]
    asked = before.rstrip("?!. ")
    place = _place_of(body.rstrip("?!. "), asked, words)
    if place is None:
        return f"{before} {body}"
    start, end = place
    ending = body[len(body.rstrip("?!. ")) :]
    return f"{asked[:start]}{body.rstrip('?!. ')}{asked[end:]}{ending}"


def _place_of(body: str, before: str, words: FollowUps) -> tuple[int, int] | None:
    """What of the question before an ellipse takes the place of: what has the same preposition ("and in Denmark?"), who
    or what does something ("and the blues?"), or the thing that it asked about ("and the list of visitors?"). None if
    it adds to the question, or may stand for several parts of it.
    """
    if (placed := words.placed.match(body)) is not None:
        return _last_placed(re.escape(placed["preposition"]), before, words)
    subject = _SUBJECT.search(before)
    if words.object.match(body) is None:
        longer = words.complete.search(body) or len(body.split()) > _MAX_BARE
        return None if longer else _place_of_bare(before, subject, words)
    if subject is None:
        return _thing(body, before, words)
    return None if _naming(before[subject.end() :]) else subject.span("thing")


def _place_of_bare(before: str, subject: re.Match[str] | None, words: FollowUps) -> tuple[int, int] | None:
    """The one part of a question that has no determiner, as the ellipse has none; None where there are several."""
    found = [ends] if (ends := _ends_placed(before, words)) else []
    if subject is not None and words.object.match(subject["thing"]) is None:
        found.append(subject.span("thing"))
    return next((place for place in found if not _bare_beside(place, before, words)), None)


def _bare_beside(place: tuple[int, int], before: str, words: FollowUps) -> list[str]:
    """What is named without a determiner beside a part of a question."""
    start, end = place
    phrase = rf"\b(?:{words.determiners})\s[\w'’-]++(?:\s(?!{_VERBS}\b)[\w'’-]++)?"
    determined = re.compile(rf"{phrase}(?=\s(?:{words.prepositions}|{_VERBS})\b|\W*$)", re.IGNORECASE)
    parts = (_RATE.sub("", part) for part in (before[:start], before[end:]))
    return [word for part in parts for word in _naming(determined.sub(" ", part))]


def _naming(text: str) -> list[str]:
    """The words of a text that name something."""
    return [term.text for term in Question(text).terms if not is_generic(term) and not _VERB.fullmatch(term.text)]


def _last_placed(prepositions: str, before: str, words: FollowUps) -> tuple[int, int] | None:
    """The last phrase with one of these prepositions: its object, of one word or two, ends the question, or one word of
    it comes before the verb."""
    article = rf"(?:(?:{words.determiners})\s)?"
    ends = rf"\b(?:{prepositions})\s{article}[\w-]+(?:\s[\w-]+)?$"
    inside = rf"\b(?:{prepositions})\s{article}[\w-]+"
    found = re.search(ends, before, re.IGNORECASE)
    if words.nouns_are_names:  # whose verb comes last
        found = next(reversed([*re.finditer(inside, before, re.IGNORECASE)]), None)
    return found.span() if found else None


def _ends_placed(before: str, words: FollowUps) -> tuple[int, int] | None:
    """The object of the preposition that a question ends with, which a bare word can stand for; not what a thing is
    *of*."""
    bare = rf"(?!(?:{words.determiners})\s)[\w-]+(?:\s[\w-]+)?"
    found = re.search(rf"\b(?:{words.prepositions})\s(?P<object>{bare})$", before, re.IGNORECASE)
    if found is None or found[0].lower().startswith(("of ", "de ", "von ", "to ")):
        return None
    return found.span("object")


def _thing(body: str, before: str, words: FollowUps) -> tuple[int, int] | None:
    """From the thing that was asked about to the end, but for what says of what it is where the ellipse does not; None
    where the question says something of the thing: "is the pool heated"."""
    things = list(words.determined.finditer(before))
    prepositions = re.compile(rf"(?:{words.prepositions})", re.IGNORECASE)
    inside = [one for one in things if prepositions.fullmatch(one["before"])]
    asked = next((one for one in things if one not in inside and one["before"].lower() not in _COPULAS), None)
    chosen = asked or (inside[-1] if inside else things[0] if things else None)
    if chosen is None or _OPENS.fullmatch(before[: chosen.start("thing")].strip()):
        return None
    start = chosen.start("thing")
    whose = _COMPLEMENT.search(before, start)
    ends = whose.start() if whose and not asked and chosen not in inside and not _COMPLEMENT.search(body) else None
    return start, len(before) if ends is None else ends


def _with_subject(question: str, before: str) -> str:
    """The question with what the earlier one was about in brackets."""
    said = {token.lower() for token in TOKEN.findall(question)}
    missing = [word for word in dict.fromkeys(_subject_of(before)) if word.lower() not in said]
    if not missing:
        return question
    bare = question.rstrip()
    ending = "?" if bare.endswith("?") else ""
    return f"{bare.removesuffix('?')} ({' '.join(missing)}){ending}"


def _subject_of(question: str) -> list[str]:
    """The names of a question, else whose thing it asks for, else the words that name its subject."""
    if found := names(question):
        return found
    for possessor in _POSSESSOR.finditer(question):
        if owner := [term.text for term in Question(possessor["who"]).terms if not is_generic(term)]:
            return owner
    focus = [term.text for term in Question(question).focus]
    return [word for word in focus if not _VERB.fullmatch(word)] or focus


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
