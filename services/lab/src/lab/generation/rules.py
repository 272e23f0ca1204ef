"""Questions by rule, for English: forms that turn a sentence into a question without a model.

What a small model can't ask well, a form can, and it costs nothing. Each form fits few sentences; one that fits none
has no question by rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lab.generation.rows import question_of_row
from lab.generation.spans import MONEY, MONTHS, NUMBER, Span, plain

MOST_SUBJECT_WORDS = 12
MOST_REST_WORDS = 12
_STOPS = (
    r"(?:of|in|for|at|on|per|by|to|from|with|a|an|the|and|or|if|when|after|before|until|than|as|more|less|each|now)\b"
)
_ABOUT = r"(?:(?:at most|at least|up to|about|around|no more than|only|exactly|now|a maximum of|a minimum of) )*"
_SUBJECT = r"(?P<subject>[A-Z][^,;:.?!()]*?)"
_REST = r"(?P<rest>(?: [^,;:.()]+)?)(?:[,;:(]|\.(?!\d))"
_TIME = r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)"
_NOUN = rf"(?!{_STOPS})[a-z][\w-]*"
_NOUNS = rf"(?P<nouns>{_NOUN}(?: {_NOUN}){{0,3}}(?: of {_NOUN}(?: {_NOUN}){{0,2}})?)"
_VERBS = (
    "receive|get|have|need|pay|keep|hold|accept|offer|earn|store|use|support|allow|contain|cover|take|give|require|"
    "send|measure|weigh|spend"
)
_DONE = r"(?P<done>[a-z]+(?:ed|en|un|pt|ld|de|nt|id))"
_STARTS_BADLY = re.compile(
    r"(?:if|when|where|while|for|in|on|at|by|after|before|until|since|unless|because|as|with|without|to|from|not|"
    r"once|during|outside|please|note|ask|call|do|use|\w+ing)\b",
    re.IGNORECASE,
)
_NOT_IN_SUBJECT = re.compile(
    r"\b(?:who|which|that|and|but|not|may|can|must|should|will|is|are|was|were|has|have|had|do|does|did|if|it|they|"
    r"this|these|those)\b"
)
_VAGUE = re.compile(
    r"(?:The (?:monthly )?(?:number|amount|limit|target|budget|period|value|list|fee|price|unit|product|time|term|rate|"
    r"maximum|minimum|total|first|second|last)|Most people|Older \w+|Some \w+|One \w+)$"
)
"""Subjects that mean something only where they stand."""
_COMMON = re.compile(r"(?:The|A|An|Each|Every|All|Any|Our|Your|Some|No|New|Most|Only)\b")


@dataclass(frozen=True, slots=True)
class RuleQuestion:
    """A question, and what of its span is right."""

    question: str
    answer: str


def question_of(span: Span, passage: str) -> RuleQuestion | None:
    """The question of the first form that fits; `passage` is what the span stands in."""
    if span.row:
        asked = question_of_row(span.row, passage)
        return None if asked is None else RuleQuestion(*asked)
    if span.term is not None:
        return RuleQuestion(f'What does "{span.term}" mean?', span.key or span.text)
    for pattern, make in _FORMS:
        match = pattern.match(span.text)
        if match and _reads_well(match):
            question = plain(make(match, _subject(match["subject"], passage)))
            return RuleQuestion(f"{question[0].upper()}{question[1:]}?", match["answer"].partition(" and ")[0])
    return None


_LEAST_NAMED = 4
"""Words of what a bare "What is …?" asks about: "the budget" is anybody's."""


def _reads_well(match: re.Match[str]) -> bool:
    subject, rest = match["subject"], _rest(match)
    words = subject.split()
    if (
        _VAGUE.match(subject)
        or _STARTS_BADLY.match(subject)
        or len(words) > MOST_SUBJECT_WORDS
        or _NOT_IN_SUBJECT.search(subject)
    ):
        return False
    if len(words) == 1 and words[0] not in ("You", "Everyone") and words[0][1:].islower() and not rest:
        return False  # "Mounting takes 40 minutes": of what?
    if match.re is _FORMS[_WHAT_IS][0] and len(words) < _LEAST_NAMED:
        return False
    return len(rest.split()) <= MOST_REST_WORDS and not re.search(r"\d", rest)


def _subject(text: str, passage: str) -> str:
    """As it stands within a question."""
    if text == "You":
        return "I"
    if _COMMON.match(text):
        return re.sub(r"^your\b", "my", text[0].lower() + text[1:])
    first = text.split()[0]
    is_name = not first[1:].islower() or re.search(rf"[a-z,] {re.escape(first)}\b", passage)
    return text if is_name else text[0].lower() + text[1:]


def _rest(match: re.Match[str]) -> str:
    """What follows the answer, as far as it belongs to it, as the asker says it."""
    return _mine(re.split(r" (?:and|or|but|while|if|which|who)\b", match["rest"] or "")[0])


def _mine(text: str) -> str:
    return re.sub(r"\byou\b", "I", re.sub(r"\byour\b", "my", text))


def _do(match: re.Match[str]) -> str:
    return "does" if match["verb"].endswith("s") else "do"


def _base(verb: str) -> str:
    return {"has": "have"}.get(verb, verb.removesuffix("s"))


def _cost(match: re.Match[str], subject: str) -> str:
    return f"how much {_do(match)} {subject} cost{_rest(match)}"


def _last(match: re.Match[str], subject: str) -> str:
    return f"how long {_do(match)} {subject} {_base(match['verb'])}{_rest(match)}"


def _how_many(match: re.Match[str], subject: str) -> str:
    return f"{_count(match)} {_do(match)} {subject} {_base(match['verb'])}{_rest(match)}"


def _how_many_may(match: re.Match[str], subject: str) -> str:
    return f"{_count(match)} {match['modal']} {subject} {match['verb']}{_rest(match)}"


def _count(match: re.Match[str]) -> str:
    nouns = match["nouns"]
    if nouns.startswith("percent"):
        return f"what percentage{nouns.removeprefix('percent').removeprefix('age')}"
    return f"how many {nouns}"


def _how_much(match: re.Match[str], subject: str) -> str:
    return f"how much {match['is']} {subject}{_rest(match)}"


def _what_is(match: re.Match[str], subject: str) -> str:
    return f"what {match['is']} {subject}"


def _when(match: re.Match[str], subject: str) -> str:
    return f"when {match['is']} {subject} {match['state']}"


def _who(match: re.Match[str], subject: str) -> str:
    return f"who {match['is']} {subject} {match['done']} by"


def _timed(match: re.Match[str], subject: str) -> str:
    """`S is kept in the file for 3 years`, `S must be reported within an hour`: the time is asked for."""
    asked = _TIMED[match["how"]]
    be = match["be"] or ""
    return f"{asked} {match['modal']} {subject} {be}{match['done']}{_mine(match['more'])}"


def _place(match: re.Match[str], subject: str) -> str:
    done = match["done"] or ""
    return f"where {match['is']} {subject}{done}"


def _what_of(match: re.Match[str], subject: str) -> str:
    return f"what {match['is']} {subject}"


def _number_first(match: re.Match[str], subject: str) -> str:
    return f"how many {subject[0].lower()}{subject[1:]}{_mine(match['more'])}"


Form = tuple[re.Pattern[str], Callable[[re.Match[str], str], str]]
_IS = r"(?P<is>is|are|was|were)"
_WHEN = rf"(?:the )?(?:end|\d|(?:{MONTHS})|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)[^,;.()]*"
_TIMED = {
    "after": "after how long",
    "within": "within what time",
    "every": "how often",
    "for": "for how long",
    "until": "until when",
    "before": "by when",
    "by": "by when",
    "no later than": "by when",
}
_FORMS: tuple[Form, ...] = (
    (re.compile(rf"{_SUBJECT} (?P<verb>costs?) {_ABOUT}(?P<answer>{MONEY}){_REST}"), _cost),
    (
        re.compile(rf"{_SUBJECT} {_IS} (?:(?:available|sold|offered) for )?{_ABOUT}(?P<answer>{MONEY}){_REST}"),
        _how_much,
    ),
    (
        re.compile(
            rf"{_SUBJECT} (?P<verb>lasts?|takes?) {_ABOUT}(?P<answer>{NUMBER} (?:[a-z]+ )?{_TIME})\b(?! of){_REST}"
        ),
        _last,
    ),
    (
        re.compile(
            rf"{_SUBJECT} (?P<modal>is|are|must|should|may|can|will) (?P<be>be )?{_DONE}"
            r"(?P<more>(?: [a-z][\w-]*){0,6}?) (?P<how>after|within|every|for|until|before|by|no later than) "
            rf"{_ABOUT}(?P<answer>(?:{NUMBER} )?(?:working |calendar |full )*{_TIME}\b(?! of)|{_WHEN})(?P<rest>)"
            r"(?:[,;(]|\.(?!\d)| (?:and|by|if|in|at|after|when|as|unless|so|from)\b)"
        ),
        _timed,
    ),
    (
        re.compile(
            rf"{_SUBJECT} (?P<modal>may|can|must|should|will) (?P<verb>(?!be\b|not\b|spend\b)[a-z]+) {_ABOUT}"
            rf"(?P<answer>{NUMBER} {_NOUNS}){_REST}"
        ),
        _how_many_may,
    ),
    (
        re.compile(rf"{_SUBJECT} (?P<verb>has|(?:{_VERBS})s?) {_ABOUT}(?P<answer>{NUMBER} {_NOUNS}){_REST}"),
        _how_many,
    ),
    (re.compile(rf"{_SUBJECT} {_IS} {_ABOUT}(?P<answer>{NUMBER} ?(?:%|°C|{_NOUNS})){_REST}"), _what_is),
    (
        re.compile(
            rf"{_SUBJECT} {_IS} (?P<state>open|closed|staffed|held|due|published|reviewed|tested|updated)"
            r"(?: [a-z ]{1,40}?)?? (?P<answer>(?:on|from|between|every|(?:by|until|before)(?= [^,;.()]*\d)|at(?= \d)) "
            r"[^,;.()]*\w)(?P<rest>)[,;.(]"
        ),
        _when,
    ),
    (
        re.compile(
            rf"{_SUBJECT} {_IS} {_DONE} by (?P<answer>(?:the |an? |your )?(?:[A-Z][\w-]+ ?)[^,;.()]*\w)(?P<rest>)[,;.(]"
        ),
        _who,
    ),
    (
        re.compile(
            rf"{_SUBJECT} {_IS}(?P<done> (?:kept|stored|located|found|held))? "
            r"(?P<answer>(?:behind|next to|under|near|opposite|beside|(?:in|at|on) (?=the |an? ))"
            r"(?: ?(?:the |an? ))?(?!case|force|order|addition|full|doubt|least|most|risk)[^,;.()]*\w)(?P<rest>)[,;.(]"
        ),
        _place,
    ),
    (
        re.compile(
            r"(?P<subject>The (?:[a-z][\w-]* ){1,3}(?:of|for) (?!.*\b(?:is|are)\b.*\b(?:is|are)\b)[^,;:.()]*?) "
            r"(?P<is>is|are) (?P<answer>(?:a|an|the|\d|[A-Z])[^,;()]*?\w)(?P<rest>)(?:[,;(]|\.(?!\d))"
        ),
        _what_of,
    ),
    (
        re.compile(
            r"(?:(?:Up to|At least|At most|About|Only|No more than) )?"
            r"(?P<answer>\d[\d.,]*|Two|Three|Four|Five|Six|Seven|Eight|Nine|Ten) "
            rf"(?P<subject>{_NOUN}(?: of)?(?: {_NOUN}){{0,3}})"
            r"(?P<more> (?:may|must|can|should|will|move|are|have|need|fit|share|belong)\b[^,;:.()]*)(?P<rest>)[,;:.(]"
        ),
        _number_first,
    ),
)
_WHAT_IS = next(at for at, (_, make) in enumerate(_FORMS) if make is _what_is)
