"""Questions that the documents do not answer, made of ones that they do: one thing in them is swapped for another that
no document has. Whether none has it is asked of the collection, word by word."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from typing import TypeVar

from lab.generation.spans import MONTHS, MOST_CHARS

Value = TypeVar("Value")
VOWELS = "AEIOU"
MOST_TRIES = 6
"""Values that are looked for in the collection before a question is given up."""
_NAMES = (
    "Marlow", "Tessin", "Oberlin", "Brackett", "Lindgren", "Sorrel", "Halvorsen", "Quillan", "Pemberton",
    "Castellan", "Draycott", "Ellesmere", "Farrow", "Gilroy", "Hathaway", "Ibarra", "Jessop", "Kestevan", "Lomax",
    "Merriden", "Norwood", "Ostrava", "Penrith", "Ravello", "Sandoval", "Tremaine", "Ulverston",
)  # fmt: skip
_UNITS = ["hectare", "litre", "kilometre", "pallet", "shift", "quarter", "gallon", "parcel", "acre", "passenger"]
_SERIAL = (
    "version|section|form|room|floor|level|article|step|chapter|phase|sheet|grade|tier|class|type|model|part|channel|"
    "building|line|zone|gate|edition|release|plan"
)
_FAMILIES = tuple(
    frozenset(family.split())
    for family in (
        "breakfast lunch dinner supper snack",
        "canteen kitchen library gym sauna nursery auditorium laboratory workshop warehouse garage chapel",
        "party marathon picnic concert fair seminar congress gala",
        "passport licence certificate permit diploma visa",
        "car bicycle lorry motorcycle ferry helicopter tractor forklift tram",
        "laptop phone printer scanner projector microphone drone camera tablet",
        "apprentice trainee intern volunteer pensioner freelancer consultant visitor supplier customer employee",
        "employees apprentices trainees interns volunteers pensioners freelancers consultants visitors suppliers",
        "maternity paternity sabbatical bereavement parental jury",
        "antenna battery cable clamp valve gasket bearing hinge spring piston radiator mast",
        "mailbox website blog podcast newsletter",
        "alarm siren sprinkler extinguisher defibrillator",
        "refund deposit pension bonus dividend mortgage scholarship pledge",
        "gift gifts donation donations bribe bribes inheritance",
        "accident fire flood earthquake burglary strike",
        "audit inspection examination calibration vaccination excavation",
        "temperature pressure humidity radiation viscosity acidity voltage",
    )
)
"""Things of one kind: a question about one of them may be asked of another that no document speaks of."""
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_CODE = re.compile(r"\b(?=[\w-]*[A-Za-z])(?=[\w-]*\d)[A-Za-z][\w]*(?:-\w+)*\b")
_NUMBERED = re.compile(rf"\b(?:{_SERIAL}) (\d+(?:\.\d+)*)\b", re.IGNORECASE)
_PER = re.compile(
    r"(?<=How much)[^?]*\bper (?!second|minute|hour|day|night|week|month|quarter|year)([a-z]{3,})(?=[?,])"
)
_NAME = re.compile(r"(?<=[\w,] )[A-Z][a-z]{2,}(?:-[A-Z]?[a-z]+)*\b")
_NO_NAMES = re.compile(rf"(?:{MONTHS}|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)$")


@dataclass(frozen=True, slots=True)
class Swap:
    """A question, what was taken out of it, and what stands there now, which no document may have."""

    question: str
    old: str
    new: str
    kind: str
    """`name`, `code`, `number`, `year`, `unit`, `thing`."""


def swaps_of(question: str, seed: str) -> list[Swap]:
    """Some, the same for the same seed; none where there is nothing in it to swap. Each place comes once before any
    comes again. One of more than `MOST_CHARS` comes to none: a person has written it, and looking takes its square."""
    if len(question) > MOST_CHARS:
        return []
    by_place = []
    for start, end, kind in _ordered(_places(question), seed):
        old = question[start:end]
        others = _others(old, kind, f"{seed} {question}")
        by_place.append([Swap(question[:start] + new + question[end:], old, new, kind) for new in others])
    turns = chain.from_iterable(zip_longest(*by_place))
    return [swap for swap in turns if swap is not None][:MOST_TRIES]


def stands_in(value: str, texts: Sequence[str]) -> bool:
    """Whether any of them has it as a word, in the singular or the plural."""
    bare = re.escape(value.removesuffix("s") if value.islower() else value)
    pattern = re.compile(rf"(?<![\w-]){bare}(?:e?s)?(?!\w|[.,-]\d)", re.IGNORECASE)
    return any(pattern.search(text) for text in texts)


def _places(question: str) -> Iterator[tuple[int, int, str]]:
    taken: list[tuple[int, int]] = []
    for kind, pattern in (("year", _YEAR), ("code", _CODE), ("number", _NUMBERED), ("unit", _PER), ("name", _NAME)):
        for match in pattern.finditer(question):
            start, end = match.span(pattern.groups)
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            if kind == "name" and _NO_NAMES.match(match.group()):
                continue
            taken.append((start, end))
            yield start, end, kind
    for match in re.finditer(r"[a-z]+", question):
        if any(match.group() in family for family in _FAMILIES):
            yield match.start(), match.end(), "thing"


def _others(old: str, kind: str, seed: str) -> list[str]:
    if kind == "thing":
        family = next(family for family in _FAMILIES if old in family)
        return _ordered([thing for thing in family if thing != old and thing.endswith("s") == old.endswith("s")], seed)[
            :3
        ]
    if kind == "year":
        return [str(int(old) + step) for step in _ordered((-17, -9, 8, 13, 21), seed)[:3]]
    if kind == "unit":
        return _ordered([unit for unit in _UNITS if unit != old], seed)[:3]
    if kind == "name":
        same = [name for name in _NAMES if (name[0] in VOWELS) == (old[0] in VOWELS)]  # "an" stays "an"
        return _ordered(same, seed)[:3]
    made = [re.sub(r"\d", partial(_other_digit, f"{seed} {at}"), old) for at in range(6)]
    return [one for one in dict.fromkeys(made) if one != old][:3]


def _other_digit(seed: str, match: re.Match[str]) -> str:
    return str(1 + int(_chance(seed, match.start()), 16) % 9)


def _ordered(values: Iterable[Value], seed: str) -> list[Value]:
    return sorted(values, key=lambda value: _chance(seed, value))


def _chance(seed: str, value: object) -> str:
    return hashlib.sha256(f"{seed} {value}".encode()).hexdigest()
