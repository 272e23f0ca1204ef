"""What validation refuses, in words: of a name what it may hold, rather than its regular expression."""

from __future__ import annotations

import re
from collections.abc import Mapping

_CLASS = r"\[(?:[^\]\\^]+)\]"
_FORM = re.compile(rf"\^(?P<first>{_CLASS})?(?P<all>{_CLASS})\{{(?P<least>\d+),(?P<most>\d+)\}}\$")
_RANGES = {"A-Za-z": "letters (A-Z, a-z)", "a-z": "small letters (a-z)", "0-9": "digits"}
_ONE = {_RANGES["A-Za-z"]: "a letter", _RANGES["a-z"]: "a small letter", _RANGES["0-9"]: "a digit"}
_TYPES = {
    "bool_type": "must be true or false, without quotation marks",
    "int_type": "must be a whole number, without quotation marks",
    "float_type": "must be a number, without quotation marks",
}
_PARTS = re.compile(r"A-Za-z|a-z|0-9|[^-]-[^-]|.")


def what_is_wrong(fault: Mapping[str, object]) -> str:
    """One of the `errors()` of a `ValidationError`, in words."""
    context = fault.get("ctx")
    pattern = context.get("pattern") if isinstance(context, Mapping) else None
    in_plain_words = in_words(str(pattern)) or _TYPES.get(str(fault.get("type")))
    return in_plain_words or str(fault.get("msg", "not valid")).removeprefix("Value error, ")


def in_words(pattern: str) -> str | None:
    """What a text must be to fit `[…]{m,n}` or `[…][…]{m,n}`, whole; None for any other pattern."""
    form = _FORM.fullmatch(pattern)
    if form is None:
        return None
    allowed, first = _holds(form["all"]), _holds(form["first"] or form["all"])
    if allowed is None or first is None:
        return None
    more = 1 if form["first"] else 0
    least, most = int(form["least"]) + more, int(form["most"]) + more
    long = f"{most} characters long" if least == most else f"{least} to {most} characters long"
    begins = f", and begin with {_listed([_ONE.get(word, word) for word in first], 'or')}" if first != allowed else ""
    return f"must be {long}, of {_listed(allowed, 'and')}{begins}"


def _holds(of: str) -> list[str] | None:
    """What a class of characters holds; None if a range of it has no word."""
    parts = _PARTS.findall(of[1:-1])
    if any(len(part) > 1 and part not in _RANGES for part in parts):
        return None
    return [_RANGES.get(part, f"'{part}'") for part in parts]


def _listed(words: list[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
