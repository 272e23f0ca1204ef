"""How a spreadsheet shows a stored number: percentages, thousands, decimals, currencies, dates and times.

Formats as in ECMA-376, part 1, 18.8.30 and 18.8.31. Dates whose order depends on the reader's country are shown as
ISO 8601, and names of months and days in English. A format that is not understood shows the number itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

GENERAL = "General"
BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    14: "yyyy-mm-dd",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm",
    37: "#,##0;(#,##0)",
    38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    49: "@",
}
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # a spreadsheet's dates have no zone
EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001
LAST_DAY = 2_958_466
"""The first day of the year 10000, which no spreadsheet shows."""
MAX_FORMAT = 255
PLAIN_DIGITS = 15
"""Digits below which a whole number is shown as it is stored."""
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|(?P<filler>[_*].)|\[\$(?P<currency>[^\]-]*)[^\]]*\]'
    r"|\[(?P<elapsed>h+|m+|s+)\]|(?P<condition>\[[^\]]*\])|(?P<half>AM/PM|A/P)|(?P<date>y+|m+|d+|h+|s+(?:\.0+)?)"
    r"|(?P<number>General|[0#?.,]+|E[+-])|(?P<percent>%)|(?P<other>.)",
    re.I | re.S,
)


@dataclass(frozen=True, slots=True)
class _Section:
    tokens: tuple[tuple[str, str], ...]
    """Kind and text."""

    def has(self, kind: str) -> bool:
        return any(kind == own for own, _ in self.tokens)


@lru_cache(maxsize=65_536)
def shown(stored: str, code: str, epoch: datetime = EPOCH) -> str:
    """A stored number as a cell of that format shows it; what is no number comes back as it is."""
    if code == GENERAL and len(stored) < PLAIN_DIGITS and stored.isdecimal():
        return stored
    try:
        number = Decimal(stored)
    except InvalidOperation:
        return stored
    if not number.is_finite():
        return stored
    sections = _sections(code[:MAX_FORMAT])
    section, magnitude = _chosen(sections, number)
    if section.has("date") or section.has("elapsed"):
        if 0 <= number < LAST_DAY:
            return _moment(section, number, epoch)
        return plain(number)
    if not section.has("number"):
        words = _words(section)
        return words if words.strip() and not section.has("text") else plain(number)
    return _number(section, magnitude)


def plain(number: Decimal) -> str:
    """A number without a format, with the fifteen digits that a spreadsheet computes with."""
    short = Decimal(f"{float(number):.15g}")
    return f"{float(number):.15g}" if abs(short.adjusted()) > 20 else format(short, "f")


@lru_cache(maxsize=2048)
def _sections(code: str) -> tuple[_Section, ...]:
    sections: list[list[tuple[str, str]]] = [[]]
    for found in _TOKEN.finditer(code):
        kind, text = found.lastgroup or "other", found[found.lastgroup or 0]
        if kind == "other" and text == ";":
            sections.append([])
        elif kind == "other" and text == "@":
            sections[-1].append(("text", text))
        elif kind in ("quoted", "escaped", "currency", "other"):
            sections[-1].append(("literal", text))
        elif kind == "filler":
            sections[-1].append(("literal", " " if text[0] == "_" else ""))
        elif kind != "condition":
            sections[-1].append((kind, text))
    return tuple(_Section(tuple(tokens)) for tokens in sections)


def _chosen(sections: tuple[_Section, ...], number: Decimal) -> tuple[_Section, Decimal]:
    """The section for a number's sign, and the number as that section is to show it."""
    if number < 0 and len(sections) > 1 and sections[1].tokens:
        return sections[1], -number
    if number == 0 and len(sections) > 2 and sections[2].tokens:
        return sections[2], number
    return sections[0], number


def _words(section: _Section) -> str:
    return "".join(text for kind, text in section.tokens if kind == "literal").strip()


def _number(section: _Section, number: Decimal) -> str:
    first = next(index for index, (kind, _) in enumerate(section.tokens) if kind == "number")
    pattern = "".join(text for kind, text in section.tokens if kind == "number")
    for kind, _ in section.tokens:
        number *= 100 if kind == "percent" else 1
    digits = plain(abs(number)) if "general" in pattern.lower() else _digits(pattern, abs(number))
    pieces = [digits if index == first else _literal(*token) for index, token in enumerate(section.tokens)]
    sign = "-" if number < 0 and any(digit in "123456789" for digit in digits) else ""
    return sign + "".join(pieces).strip()


def _literal(kind: str, text: str) -> str:
    return text if kind in ("literal", "percent") else ""


def _digits(pattern: str, number: Decimal) -> str:
    """A number by a pattern of placeholders, without its sign."""
    if "E" in pattern.upper():
        places = pattern.upper().partition("E")[0].partition(".")[2].count("0")
        return f"{number:.{places}E}"
    body = pattern.rstrip(",")
    number = number.scaleb(-3 * (len(pattern) - len(body)))
    whole, _, decimals = body.partition(".")
    places, needed = sum(decimals.count(mark) for mark in "0#?"), decimals.count("0")
    rounded = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    integer, _, fraction = format(rounded, "f").partition(".")
    kept = fraction[:needed] + fraction[needed:].rstrip("0")
    integer = integer.zfill(whole.count("0")) if integer != "0" or "0" in whole else ""
    if "," in whole and integer:
        integer = f"{int(integer):,}" if not integer.startswith("0") else integer
    return f"{integer}.{kept}" if kept else integer or "0"


def _moment(section: _Section, number: Decimal, epoch: datetime) -> str:
    """A date or time."""
    seconds = float(number) * 86_400
    precise = any(kind == "date" and "." in text for kind, text in section.tokens)
    moment = epoch + timedelta(seconds=round(seconds, 3) if precise else round(seconds))
    half, minutes = section.has("half"), _minutes(section)
    pieces: list[str] = []
    for index, (kind, text) in enumerate(section.tokens):
        if kind == "date":
            pieces.append(_date_part("n" * len(text) if index in minutes else text.lower(), moment, half))
        elif kind == "elapsed":
            pieces.append(str(round(seconds) // {"h": 3600, "m": 60, "s": 1}[text[0].lower()]).zfill(len(text)))
        elif kind == "half":
            pieces.append("PM" if moment.hour >= 12 else "AM")
        elif kind in ("literal", "number"):
            pieces.append(text)
    return "".join(pieces).strip()


def _minutes(section: _Section) -> set[int]:
    """Which of the tokens `m` mean minutes: those behind hours or before seconds."""
    clock = [(index, text.lower()) for index, (kind, text) in enumerate(section.tokens) if kind in ("date", "elapsed")]
    before = ["", *(text[0] for _, text in clock)]
    after = [*(text[0] for _, text in clock[1:]), ""]
    return {
        index
        for (index, text), last, following in zip(clock, before, after, strict=False)
        if text in ("m", "mm") and (last == "h" or following == "s")
    }


def _date_part(form: str, moment: datetime, half: bool) -> str:
    letter, width = form[0], len(form.partition(".")[0])
    if letter == "y":
        return f"{moment.year:04}" if width > 2 else f"{moment.year % 100:02}"
    if letter in "md" and width > 2:
        names = _MONTHS[moment.month - 1] if letter == "m" else _DAYS[moment.weekday()]
        return names[:1] if letter == "m" and width == 5 else names[:3] if width == 3 else names
    if letter == "s" and "." in form:
        places = len(form) - width - 1
        return f"{moment.second:0{width}}." + f"{moment.microsecond:06}"[:places]
    hour = (moment.hour % 12 or 12) if half else moment.hour
    number = {"m": moment.month, "d": moment.day, "h": hour, "n": moment.minute, "s": moment.second}[letter]
    return f"{number:0{min(width, 2)}}"
