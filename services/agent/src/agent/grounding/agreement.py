"""Whether the facts of a sentence agree with a span of the source: its numbers with their units, dates, times, names
and codes, what it denies, and words that turn a statement round. Each of them must be in the span; wording cannot
make up for one that isn't.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from agent.grounding.clauses import mixes_clauses
from agent.grounding.turns import is_turned
from agent.grounding.units import KINDS, is_open_month, unit_of
from agent.text.denials import is_negated, negated
from agent.text.numerals import with_digits
from agent.text.words import (
    GENERIC,
    NUMBER_WORDS,
    STOPWORDS,
    TOKEN,
    form_set,
    forms,
    has_digit,
    names,
    number_value,
    stem,
)

_MONTH_NAMES = (
    "january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|september sep sept|october oct"
    "|november nov|december dec"
)
_MONTHS = {name: at for at, spelled in enumerate(_MONTH_NAMES.split("|"), start=1) for name in spelled.split()}
_MONTH = r"(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
_DAY_FIRST = re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"\b{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?![:.]\d)", re.IGNORECASE)
_ISO = re.compile(r"\b\d{4}-(?P<month>\d{2})-(?P<day>\d{2})\b")
_DOTTED = re.compile(r"\b(?:[A-Z]\.){2,}")
_QUANTITY = re.compile(r"(\d+(?:[.,]\d+)*)-?([a-z]+|[A-Z]{0,1}[a-zA-Z]?)")
_PIECE = re.compile(rf"{TOKEN.pattern}|[$€£¥₩%]")
_KANA = re.compile("[\u3040-\u30ff]")
"""Of Japanese, where 3月 is March."""
NEAR = 3
"""So many words apart the parts of one name may stand."""


def agrees(sentence: str, evidence: str, context: str) -> bool:
    """Whether every fact of a sentence is in the evidence, or in what the evidence stands under (`context`)."""
    if not has_facts(sentence, evidence, context):
        return False
    sentence, evidence = _join(sentence), _join(evidence)
    return (
        _same_denials(sentence, evidence)
        and not is_turned(sentence, evidence)
        and not mixes_clauses(sentence, evidence)
    )


def has_facts(text: str, evidence: str, context: str) -> bool:
    """Whether every number, date, name and code of a text is there, whatever is said of them."""
    text, whole = _join(text), f"{_join(context)}\n{_join(evidence)}"
    return _same_numbers(text, whole) and dates(text) <= dates(whole) and _same_names(text, whole)


def facts(text: str) -> set[str]:
    """The numbers, names and codes of a text."""
    return {*quantities(text), *(stem(name.lower()) for name in _proper(text) if name.lower() not in _OPENERS)}


def differs(one: str, other: str) -> bool:
    """Whether two texts state different facts: each has a number or a name that the other lacks, or one denies."""
    here, there = facts(one), facts(other)
    return bool(here - there and there - here) or is_negated(one) != is_negated(other)


def quantities(text: str) -> dict[str, list[frozenset[str]]]:
    """The numbers of a text in one spelling, each with the units that it has where it stands."""
    found: dict[str, list[frozenset[str]]] = defaultdict(list)
    pieces = [match.group() for match in _PIECE.finditer(with_digits(text))]
    may_last = _KANA.search(text) is None
    for at, piece in enumerate(pieces):
        for value, own in _values(piece):
            last = ("month",) if may_last and is_open_month(pieces, at) else ()
            found[value].append(frozenset((*own, *last, *_units_beside(pieces, at))))
    return found


def _join(text: str) -> str:
    """The text with `U.S.` as `US`, as it is written elsewhere."""
    return _DOTTED.sub(lambda match: match.group().replace(".", ""), text)


def dates(text: str) -> set[tuple[int, int]]:
    """The days of a text as month and day."""
    found = {(int(match["month"]), int(match["day"])) for match in _ISO.finditer(text)}
    for pattern in (_DAY_FIRST, _MONTH_FIRST):
        found |= {(_MONTHS[match["month"].lower()], int(match["day"])) for match in pattern.finditer(text)}
    return found


def _values(piece: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The numbers in one token with the unit that is written to them; of a code such as `WS3-H` none."""
    plain = number_value(piece)
    if plain is not None:
        yield plain, ()
        return
    parts = piece.split("-")
    if len(parts) > 1 and _is_number(piece):  # twenty-five
        yield str(sum(int(NUMBER_WORDS[part.lower()]) for part in parts)), ()
        return
    if not has_digit(piece):
        return
    quantity = _QUANTITY.fullmatch(piece)
    if quantity is not None:
        unit = unit_of(quantity[2])
        yield number_value(quantity[1]) or quantity[1], (unit,) if unit else ()
    elif not any(map(str.isalpha, piece)):  # a time, a date, a range, a number in parts
        for part in parts:
            yield number_value(part) or part.lstrip("0") or "0", ()


def _units_beside(pieces: list[str], at: int) -> list[str]:
    """The units of the number at a place: the sign or code before it, and those among the two words behind it."""
    found = [unit for unit in [unit_of(pieces[at - 1])] if at and unit and KINDS.get(unit) == "money"]
    for piece in pieces[at + 1 : at + 4]:
        if has_digit(piece) or piece.lower() in NUMBER_WORDS or piece.lower() in ("and", "or", "to", "per", "in", "of"):
            break
        unit = unit_of(piece)
        if unit:
            found.append(unit)
    return found


def _same_numbers(sentence: str, whole: str) -> bool:
    there = quantities(whole)
    for value, uses in quantities(sentence).items():
        if value not in there:
            return False
        if any(not any(_fits(units, others) for others in there[value]) for units in uses):
            return False
    return True


def _fits(units: frozenset[str], others: frozenset[str]) -> bool:
    """Whether the units of one number twice can be the same: a bare one fits every unit."""
    if not units or not others:
        return True
    return not {KINDS[unit] for unit in units - others} & {KINDS[unit] for unit in others} and bool(
        units & others or {KINDS[unit] for unit in units} & {"scale"}
    )


def _proper(text: str) -> list[str]:
    """The names and codes of a text, its first word too if it could be one."""
    found = names(f"x {text}")
    return [name for name in found if not _QUANTITY.fullmatch(name) and not _is_number(name)]


def _is_number(word: str) -> bool:
    return all(part in NUMBER_WORDS for part in word.lower().split("-"))


def _same_names(sentence: str, whole: str) -> bool:
    """Every name is there; a name of several words with its words together."""
    present = form_set(whole)
    tokens = [forms(token) for token in TOKEN.findall(whole)]
    before: tuple[int, frozenset[str]] | None = None
    proper = set(_proper(sentence))
    spelled = _spelled_dates(sentence, whole)
    for match in TOKEN.finditer(sentence):
        token = match.group()
        if token not in proper or token.lower() in _OPENERS or token in spelled:
            continue
        if not _is_there(token, present):
            return False
        wanted = forms(token)
        follows = before is not None and sentence[before[0] : match.start()] == " "
        if follows and before is not None and not _together(before[1], wanted, tokens):
            return False
        before = (match.end(), wanted)
    return True


def _spelled_dates(sentence: str, whole: str) -> set[str]:
    """The months of a sentence that the other text has as figures: `June` for `2024-06-30`."""
    there = {int(match["month"]) for match in _ISO.finditer(whole)}
    return {token for token in TOKEN.findall(sentence) if _MONTHS.get(token.lower()) in there}


def _is_there(name: str, present: frozenset[str]) -> bool:
    """Whether a name is there as a whole; of a code no part will do."""
    parts = [part for part in name.lower().replace("’", "'").removesuffix("'s").split("-") if part]
    if stem("".join(parts)) in present:
        return True
    return not has_digit(name) and all(not forms(part).isdisjoint(present) for part in parts)


def _together(one: frozenset[str], other: frozenset[str], tokens: list[frozenset[str]]) -> bool:
    first = [at for at, token in enumerate(tokens) if not token.isdisjoint(one)]
    second = [at for at, token in enumerate(tokens) if not token.isdisjoint(other)]
    if not first or not second:  # initials of a longer name
        return True
    return any(abs(here - there) <= NEAR for here in first for there in second)


def _same_denials(sentence: str, evidence: str) -> bool:
    """Whether both deny the same: what one denies and the other says is a contradiction."""
    if not is_negated(sentence):
        return not is_negated(evidence)
    if not is_negated(evidence):
        return False
    denied, denied_there = negated(sentence), negated(evidence)
    if not denied <= negated(evidence, reach=3):
        return False
    return not (denied_there & form_set(sentence)) - negated(sentence, reach=3)


_OPENING = """according based however additionally overall therefore furthermore moreover similarly finally generally
    specifically instead note yes no here there first second third next last since although though despite unlike
    currently today typically usually normally often sometimes answer source sources document text"""
_OPENERS = STOPWORDS | GENERIC | frozenset(_OPENING.split())
"""Words that open a sentence with a capital and name nothing."""
