"""Takes out of a text what nobody sees: it can carry orders to a model, or make a text look like another one.

Joiners stay where a script needs them (Persian, Indic, emoji), and so do marks of direction that open no range.
"""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u200c\u200d"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_FLAGS = "|".join(
    "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f" for region in ("gbeng", "gbsct", "gbwls")
)
_NEVER = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls, a terminal's escape among them
    "\u00ad\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2064\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates of direction
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
_HIDDEN = re.compile(rf"(?<=\U0001f3f4)(?:{_FLAGS})|[{_NEVER}{_JOINERS}]|[{_SELECTORS}]+")
WAITING = re.compile(rf"[{_NEVER}{_JOINERS}{_SELECTORS}]+\Z")
"""The end of a growing text of which what follows decides whether it is seen."""


def visible(text: str, before: str = "") -> str:
    """The text without characters that show nothing; `before` is the character that stands before it."""
    if text.isascii() and text.isprintable():
        return text
    whole = before + text
    return _HIDDEN.sub(lambda match: _kept(match, whole), whole)[len(before) :]


def spell_out(text: str) -> str:
    """The text with every character that shows nothing written as `\\uXXXX`, for who has to see what is there."""
    hidden = re.compile(rf"[{_NEVER}{_JOINERS}{_SELECTORS}]")
    return "".join(char if char.isprintable() and not hidden.match(char) else _escaped(char) for char in text)


def _kept(match: re.Match[str], whole: str) -> str:
    found, at, end = match.group(), match.start(), match.end()
    before, after = whole[at - 1 : at], whole[end : end + 1]
    if found in _JOINERS:
        return found if _joins(before) and (_joins(after) or unicodedata.category(before) == "Mn") else ""
    if len(found) > 1 and found[0] >= "\U000e0020" and found[-1] == "\U000e007f":
        return found  # the flag of a part of a country
    if re.match(rf"[{_SELECTORS}]", found):
        return found[0] if before and (not before.isascii() or before in "0123456789#*") else ""
    return ""


def _joins(char: str) -> bool:
    """Whether a character can be joined with a neighbour: a letter or mark of a script that does so, or a picture."""
    if not char or char.isascii():
        return False
    return unicodedata.category(char)[0] in "LMS" or "\ufe00" <= char <= "\ufe0f"


def _escaped(char: str) -> str:
    return rf"\u{ord(char):04x}" if ord(char) < 0x10000 else rf"\U{ord(char):08x}"
