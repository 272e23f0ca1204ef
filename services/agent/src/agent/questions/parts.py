"""Several questions in one message, and two things to compare: cut where each part is a question of its own."""

from __future__ import annotations

import re

from agent.questions.kind import Language, Parts
from agent.questions.question import Question
from agent.text.sentences import sentences
from agent.text.words import is_generic, names

MAX_CHARACTERS = 600
"""A longer message is somebody's own text, whatever it begins with."""
MAX_PARTS = 4
MAX_SIDE_WORDS = 12
"""Of one of two things to compare."""
_IS = r"(?:is|are|was|were|do|does|did|can|could|must|may|should|shall|will|would|has|have|had)"
_LEAD = (
    rf"(?:how (?:many|much|long|often|far|high|large|big|old|soon|quickly|fast|late|early|{_IS})\b"
    rf"|(?:what|when|where|why) {_IS}\b|who [a-z]+\b|which \w+ {_IS}\b|what \w+ {_IS}\b"
    r"|wie ?(?:viele?|lange|oft|weit|hoch|groß|teuer|schnell|alt|ist|sind|kann|muss)\b|wieviele?\b"
    r"|(?:was|wann|wo|wer|warum|wen|wem) (?:ist|sind|war|waren|wird|werden|kann|muss|darf|soll|gilt|kostet|bekommt)\b"
    r"|welche[rsmn]? \w+ (?:ist|sind|hat|haben|gilt|gelten|muss|kann)\b)"
)
_BEGINS = re.compile(rf"(?:{_LEAD}|(?:what|when|where|who|which|why|how|was|wann|wo|wer|wie)\b)", re.IGNORECASE)
_ASKS = re.compile(rf"(?:{_LEAD}|{_IS}\b)", re.IGNORECASE)
_JOINT = re.compile(
    rf"[,;]? (?:and|und|as well as|sowie)(?: also| auch)? (?={_LEAD})",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"\b(?:who|whom|which|that|where|when|what|whose|why|how|if|whether)\b", re.IGNORECASE)
_GERMAN = re.compile(
    r"\b(?:was|wann|wer|wo|wie|wieviele?|welche[rsmn]?|und|ist|sind|zwischen|vergleiche?|der|die|das|viele)\b",
    re.IGNORECASE,
)
_ENGLISH = re.compile(r"\b(?:what|when|who|where|how|which|and|is|are|the|between|compare|vs|many)\b", re.IGNORECASE)
_COMPARED: tuple[tuple[Language, str], ...] = (
    ("en", r"(?:compare|contrast) (?P<one>.+?) (?:and|with|to|vs\.?|versus) (?P<two>.+)"),
    (
        "en",
        (
            r"(?:(?:what(?: is|'s| are)|tell me|explain|show me)? ?(?:the )?(?:main |key )?)differences? between "
            r"(?P<one>.+?) and (?P<two>.+)"
        ),
    ),
    ("en", r"how (?:do|does|did|is|are) (?P<one>.+?) (?:differ|different) from (?P<two>.+)"),
    ("en", r"how (?:do|does) (?P<one>.+?) compare (?:to|with|against) (?P<two>.+)"),
    ("en", r"how (?:do|are) (?P<one>.+?) and (?P<two>.+?) (?:differ|compare|different)"),
    ("en", rf"(?!{_LEAD}|{_IS}\b)(?P<one>\S+(?: \S+){{0,4}}) (?:vs\.?|versus) (?P<two>\S+(?: \S+){{0,4}})"),
    ("de", r"vergleich(?:e|en sie)? (?P<one>.+?) (?:mit|und) (?P<two>.+)"),
    (
        "de",
        (
            r"(?:was (?:ist|sind) |worin (?:besteht|liegt) )?(?:der |die )?unterschiede? zwischen (?P<one>.+?) und "
            r"(?P<two>.+)"
        ),
    ),
    ("de", r"wie unterscheide(?:n|t) sich (?P<one>.+?) (?:und|von|vom) (?P<two>.+)"),
)
_COMPARISONS = tuple((language, re.compile(pattern, re.IGNORECASE)) for language, pattern in _COMPARED)
_BACK = re.compile(
    r"\b(?:it|its|they|them|their|he|him|his|she|her|ihr|sein|seine[rnms]?|ihre[rnms]?|es|er|sie|deren|dessen)\b",
    re.IGNORECASE,
)
"""Points back to something that has a name, if there is one before."""
_BARE = re.compile(r"(?:what|who|how|was|wer|wie) (?:is|are|was|were|ist|sind|war|waren)\b", re.IGNORECASE)
"""`What was the score`: of what, only the part before says."""
_IDENTIFIES = re.compile(rf"(?:who|which|what (?!{_IS}\b)|wer|welche)", re.IGNORECASE)
"""Asks for the very thing that a later part may be about."""
_VAGUE = re.compile(
    r"\b(?:this|that|these|those|such|same|there|ones?|others?|rest|compare[sd]?|not|diese[rnms]?|solche[rnms]?)\b",
    re.IGNORECASE,
)
"""Points back to what only the whole question says."""
_ASPECT = re.compile(
    r",? (?P<in>on|in terms of|regarding|concerning|with regard to|when it comes to|by|hinsichtlich|bezüglich|bei"
    r"|in bezug auf) (?P<aspect>(?!the other\b).+)$",
    re.IGNORECASE,
)
"""What two things are compared by: "… and Walmart on sharing data"."""
_PAPERS = re.compile(
    r"(?:the )?[\w.-]+ and (?:the )?[\w.-]+"
    r" (?P<rest>(?:[\w-]+ )?(?:policy|agreement|contract|manual|report|guide|plan))",
    re.IGNORECASE,
)
"""Two documents of one kind: "the Walmart and the Caribou privacy policy"."""
_FRAME = re.compile(
    r"^(?:the |der |die |das )?(?P<what>[\w-]+(?: [\w-]+)?) (?P<of>of|for|von|für) (?P<thing>.+)$", re.I
)
_PLEASE = re.compile(
    r"^(?:please|can you|could you|bitte|kannst du)[\s,]++|(?<![\s,?!.])[\s,?!.]*+(?:(?:please|bitte)[\s?!.]*+)?$", re.I
)


def read_parts(question: str) -> Parts | None:
    """The parts of a question that is made of several; None if it is one."""
    if len(question) > MAX_CHARACTERS:
        return None
    return _comparison(question) or _several(question)


def _comparison(question: str) -> Parts | None:
    body = _PLEASE.sub("", question)
    if len(sentences(body)) > 1:
        return None
    for language, pattern in _COMPARISONS:
        found = pattern.fullmatch(body)
        if found is None:
            continue
        one, two = found["one"].strip(" ,"), found["two"].strip(" ,")
        aspect = _aspect(one, two)
        sides = _framed(one, two[: aspect.start()] if aspect else two)
        if sides[0].lower() == sides[1].lower() or not all(map(_is_thing, sides)):
            return None
        ask = "" if language == "de" else "What is "  # "Was ist" would count as words that sources must have
        labels = tuple(side[:1].upper() + side[1:] for side in sides)
        by = f" {aspect['aspect']}" if aspect else ""
        return Parts(tuple(f"{ask}{side}{by}?" for side in sides), labels, language, compares=True)
    return None


def _aspect(one: str, two: str) -> re.Match[str] | None:
    """What both are compared by; not what tells them apart: "payment by cash and payment by card"."""
    found = _ASPECT.search(two)
    if found is None or re.search(rf"\b{re.escape(found['in'])}\s", one, re.IGNORECASE):
        return None
    alike = one.split()[0].lower() == two.split()[0].lower() and _ASPECT.search(one)
    return None if alike else found


def _framed(one: str, two: str) -> tuple[str, str]:
    """Both sides whole: "the price of A and B" is the price of A and of B, "rave and house music" two kinds."""
    frame = _FRAME.match(one)
    if frame is not None and not _FRAME.match(two):
        return one, f"{one[: frame.start('thing')]}{two}"
    if (both := _PAPERS.fullmatch(f"{one} and {two}")) is not None:
        return f"{one} {both['rest']}", two
    first, _, rest = two.partition(" ")
    alone = (
        one.islower()
        and one.isalpha()
        and not one.endswith("s")
        and first.islower()
        and first not in ("the", "a", "an", "der", "die", "das")
    )
    if alone and rest and one not in two.split():
        return f"{one} {rest}", two
    return one, two


def _is_thing(side: str) -> bool:
    vague = _VAGUE.search(side) or _BACK.search(side)
    return len(side.split()) <= MAX_SIDE_WORDS and _has_subject(side) and not vague


def _several(question: str) -> Parts | None:
    found = [question[begin:end] for begin, end in sentences(question)]
    first = next((place for place, sentence in enumerate(found) if sentence.endswith("?")), len(found) - 1)
    parts = [part for sentence in found[first:] for part in _cut(sentence)]
    if not 2 <= len(parts) <= MAX_PARTS or not all(_stands(part, parts[:place]) for place, part in enumerate(parts)):
        return None
    labels = tuple(part.rstrip("?!., ") for part in parts)
    before = " ".join(found[:first])
    asked = tuple(f"{before} {label}?".strip() for label in labels)
    return Parts(asked, tuple(label[:1].upper() + label[1:] for label in labels), _language(question))


def _cut(sentence: str) -> list[str]:
    """A sentence before each "and" that begins another question."""
    parts: list[str] = []
    rest = sentence
    while joint := _JOINT.search(rest):
        parts.append(rest[: joint.start()])
        rest = rest[joint.end() :]
    return [*parts, rest]


def _stands(part: str, before: list[str]) -> bool:
    """Whether a part asks one thing by itself.

    Another "who" or "that" inside may be what "and who …" goes on with. A part that points back needs a name before it,
    and not to what the part before asks for.
    """
    found = _BEGINS.match(part) or _ASKS.match(part)
    if found is None or not _has_subject(part) or _RELATIVE.search(part, found.end()):
        return False
    if not before:
        return True
    if _VAGUE.search(part) or (_BARE.match(part) and len(Question(part).focus) < 2 and not names(f"x {part}")):
        return False
    return not _BACK.search(part) or (bool(names(f"x {before[-1]}")) and not _IDENTIFIES.match(before[-1]))


def _has_subject(text: str) -> bool:
    return any(not is_generic(term) for term in Question(text).terms)


def _language(question: str) -> Language:
    return "de" if len(_GERMAN.findall(question)) > len(_ENGLISH.findall(question)) else "en"
