"""Makes negatives by rule that differ in little: another name, number or opposite; an answer's sentence taken out."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from agent.text.sentences import split
from research.reader.examples import words

NAME = re.compile(r"\b[A-Z][\w'’-]*(?:(?: of| the| de| von| van)? [A-Z][\w'’-]*)*")
NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?![\w])")
OPPOSITES = words(
    """first/last largest/smallest highest/lowest before/after most/least oldest/youngest more/fewer more/less
increase/decrease increased/decreased begin/end start/end started/ended win/lose won/lost northern/southern north/south
east/west eastern/western male/female rise/fall rose/fell early/late earliest/latest opened/closed open/close
maximum/minimum always/never with/without arrive/leave arrived/left buy/sell bought/sold import/export include/exclude
allowed/forbidden accept/reject accepted/rejected support/oppose supported/opposed father/mother son/daughter
husband/wife king/queen best/worst major/minor old/new causes/prevents cause/prevent joined/left men/women
boys/girls upper/lower above/below positive/negative strong/weak high/low long/short longest/shortest rich/poor
all/none can/cannot must/may inside/outside public/private internal/external higher/lower at least/at most
full-time/part-time winter/summer weekly/monthly daily/weekly monthly/yearly morning/evening adults/children"""
)
UNITS = words(
    """days/weeks weeks/months hours/days minutes/hours months/years euros/dollars percent/points metres/kilometres
km/miles million/billion thousand/million kilograms/grams grams/litres kW/MW"""
)
SMALL = words("two three four five six seven eight nine ten twelve twenty thirty")
BE = re.compile(r"\b(is|are|was|were|can|could|will|would|should|must|may|has|have|had)\b(?! not\b|n't)")
DENIED = re.compile(r"\b(is|are|was|were|can|could|will|would|should|must|may|has|have|had|do|does|did) not\b")


def _table(pairs: Sequence[str]) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for pair in pairs:
        one, other = pair.split("/")
        made.setdefault(one, []).append(other)
        made.setdefault(other, []).append(one)
    return made


OPPOSITE = _table([pair for pair in OPPOSITES if pair.count("/") == 1])
UNIT = _table(UNITS)
WORD = re.compile(r"[\w-]+")


def names(text: str) -> list[str]:
    """Capitalised names that don't begin a sentence."""
    starts = {unit.start for unit in split(text)}
    return [match.group() for match in NAME.finditer(text) if match.start() not in starts and len(match.group()) > 2]


def altered(text: str, others: Sequence[str], chance: random.Random) -> str | None:
    """The text with one fact changed: a name to one of the others, a number, a unit, an opposite, a denial."""
    ways = [_other_name, _other_number, _opposite, _opposite, _unit, _denial]
    chance.shuffle(ways)
    for way in ways:
        made = way(text, others, chance)
        if made is not None and made.lower() != text.lower():
            return made
    return None


def other_question(question: str, others: Sequence[str], chance: random.Random) -> str | None:
    """The question about another name, number or opposite."""
    ways = [_other_name, _other_name, _other_number, _opposite]
    chance.shuffle(ways)
    for way in ways:
        made = way(question, others, chance)
        if made is not None and made.lower() != question.lower():
            return made
    return None


def _other_name(text: str, others: Sequence[str], chance: random.Random) -> str | None:
    found = [match for match in NAME.finditer(text) if match.start() > 0 and len(match.group()) > 2]
    fitting = [other for other in others if other.lower() not in text.lower()]
    if not found or not fitting:
        return None
    return _put(text, chance.choice(found).span(), chance.choice(fitting))


def _other_number(text: str, _: Sequence[str], chance: random.Random) -> str | None:
    found = list(NUMBER.finditer(text))
    if not found:
        words = [match for match in WORD.finditer(text) if match.group().lower() in SMALL]
        return (
            _put(text, (at := chance.choice(words)).span(), _but(SMALL, at.group().lower(), chance)) if words else None
        )
    match = chance.choice(found)
    digits = match.group()
    year = re.fullmatch(r"1\d{3}|20\d\d", digits)
    if year:
        made = str(int(digits) + chance.choice([-10, -7, -4, -3, -2, -1, 1, 2, 3, 5, 8, 10]))
    else:
        at = chance.choice([place for place, one in enumerate(digits) if one.isdigit()])
        made = digits[:at] + chance.choice([one for one in "123456789" if one != digits[at]]) + digits[at + 1 :]
        if chance.random() < 0.2:
            made = digits + "0"
    return _put(text, match.span(), made)


def _opposite(text: str, _: Sequence[str], chance: random.Random) -> str | None:
    return _by_table(text, OPPOSITE, chance)


def _unit(text: str, _: Sequence[str], chance: random.Random) -> str | None:
    return _by_table(text, UNIT, chance)


def _by_table(text: str, table: dict[str, list[str]], chance: random.Random) -> str | None:
    found = [match for match in WORD.finditer(text) if match.group().lower() in table]
    if not found:
        return None
    match = chance.choice(found)
    return _put(text, match.span(), chance.choice(table[match.group().lower()]))


def _denial(text: str, _: Sequence[str], chance: random.Random) -> str | None:
    denied = list(DENIED.finditer(text))
    if denied:
        match = chance.choice(denied)
        return _put(text, match.span(), match.group(1))
    found = list(BE.finditer(text))
    return _put(text, (at := chance.choice(found)).span(), f"{at.group()} not") if found else None


def _but(words: Sequence[str], word: str, chance: random.Random) -> str:
    return chance.choice([one for one in words if one != word])


def _put(text: str, span: tuple[int, int], made: str) -> str:
    return text[: span[0]] + made + text[span[1] :]
