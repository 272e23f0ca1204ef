"""What guards look for: patterns, and checksums where there are some, so that an order number is no card.

All read a text's normal form, in time that grows with the text: no pattern goes back further than a finding is long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from servicekit.guards.findings import Finding
from servicekit.guards.ibans import find_ibans
from servicekit.guards.normal_form import disjoint, found_in

LONGEST_CARD, SHORTEST_CARD = 19, 13
LETTERS = "A-Za-z\u00c0-\u024f\u0300-\u036f\u0370-\u03ff\u0400-\u04ff"
"""Of addresses: Latin, Greek, Cyrillic, and accents that are characters of their own."""
WINDOW, LONGEST = 65_536, 24_576
"""Characters that are searched at once, and the most that a finding is looked for behind them, as the longest JWT:
other threads have their turn between. A token that goes on there is taken to its end."""

_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = re.compile(r"-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_SECRETS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.ASCII)
    for name, pattern in {
        "groundwork_key": r"\bgw_[A-Za-z0-9_-]{32,}",
        "aws_key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        "github_token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
        "gitlab_token": r"\bglpat-[A-Za-z0-9_-]{20,}",
        "slack_token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
        "openai_key": r"\bsk-[A-Za-z0-9_-]{20,}",
        "google_key": r"\bAIza[0-9A-Za-z_-]{35,}",
        "stripe_key": r"\b[rs]k_live_[0-9A-Za-z]{16,}",
        "huggingface_token": r"\bhf_[A-Za-z0-9]{30,}",
        "jwt": r"\beyJ[A-Za-z0-9_-]{8,8000}+\.eyJ[A-Za-z0-9_-]{8,8000}+\.[A-Za-z0-9_-]{8,}",
    }.items()
}
_EMAIL = re.compile(
    rf"(?<![{LETTERS}0-9._%+-])[{LETTERS}0-9][{LETTERS}0-9._%+-]{{0,254}}@"
    rf"(?:[{LETTERS}0-9-]{{1,63}}\.){{1,8}}[{LETTERS}]{{2,24}}(?![{LETTERS}0-9_])"
)
_CARDS = (
    re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w)", re.ASCII),
    re.compile(r"(?<![\w.])\d{13,19}(?!\w)", re.ASCII),
    re.compile(r"(?<![\w.])\d{4}([ .-])\d{4}\1\d{4}\1\d{1,7}(?!\w)", re.ASCII),
    re.compile(r"(?<![\w.])3\d{3}([ .-])\d{6}\1\d{5}(?!\w)", re.ASCII),
)
"""Digits in any groups; without groups and in those that cards have, whatever numbers stand beside them."""
_PHONE = re.compile(r"(?<![\w+])(?:\+|(?<!\d\.)00)[1-9]\d{0,2}(?:[ .()/-]{0,2}\d){6,13}(?!\w)", re.ASCII)
_SSN = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])", re.ASCII)
_TAGS = re.compile(r"[\U000E0020-\U000E007E]{4}")
"""Letters that nobody sees."""


class Secrets:
    """Credentials by their makers' prefixes."""

    name = "secrets"

    def find(self, text: str) -> list[Finding]:
        """Findings from left to right, none within another."""
        return found_in(text, self._all)

    def _all(self, text: str) -> Iterator[Finding]:
        yield from _private_keys(text)
        for kind, pattern in _SECRETS.items():
            yield from _findings(kind, pattern, text)


class PersonalData:
    """Data about people that can be told by its form."""

    name = "pii"

    def find(self, text: str) -> list[Finding]:
        """Findings from left to right, none within another."""
        return found_in(text, self._all)

    def _all(self, text: str) -> Iterator[Finding]:
        if "@" in text:
            yield from _findings("email", _EMAIL, text)
        yield from find_ibans(text)
        for pattern in _CARDS:
            yield from (one for one in _findings("card", pattern, text) if is_card(text[one.start : one.end]))
        yield from _findings("phone", _PHONE, text)
        yield from _findings("ssn", _SSN, text)


_IGNORE = (
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|preceding|all|your)\b.{0,30}"
)
_ORDERS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        _IGNORE + r"\b(?:instructions?|prompts?|rules|context|directions)\b",
        r"\b(?:ignoriere|vergiss|missachte)\b.{0,40}\b(?:anweisungen|instruktionen|regeln|vorgaben)\b",
        r"\b(?:ignore[rz]?|oublie[rz]?)\b.{0,40}\b(?:instructions|consignes) (?:pr[eé]c[eé]dentes|ci-dessus)\b",
        r"\b(?:reveal|print|repeat|output|show)\b.{0,30}\b(?:system prompt|hidden instructions|your instructions)\b",
        r"\byou are (?:now|no longer)\b.{0,60}\b(?:assistant|ai|model|bound|restricted|dan)\b",
        r"\b(?:do not|don't|never) (?:tell|inform|mention (?:this|it) to) the user\b",
        r"<\|(?:im_start|im_end|system|endoftext)\|>|\[/?INST\]|<</?SYS>>",
        r"^[ \t]{0,8}#{0,4}[ \t]?(?:system|assistant)\s?(?:prompt|message)?\s?:\s",
    )
)


class Injection:
    """Orders to a model in text that should only inform it."""

    name = "injection"

    def find(self, text: str) -> list[Finding]:
        """Findings from left to right, none within another."""
        hidden = () if text.isascii() else _findings("order", _TAGS, text)
        return disjoint([*hidden, *found_in(text, self._all)])

    def _all(self, text: str) -> Iterator[Finding]:
        for pattern in _ORDERS:
            yield from (Finding("order", found.start(), found.end()) for found in pattern.finditer(text))


def _findings(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[Finding]:
    return (Finding(kind, found.start(), found.end()) for found in matches(pattern, text))


def matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """What `finditer` gives, window by window: a thread that searches holds all others up while it does."""
    if len(text) <= WINDOW:
        yield from pattern.finditer(text)
        return
    at = 0
    while at < len(text):
        edge = at + WINDOW
        until = min(len(text), edge + LONGEST)
        found = pattern.search(text, at, until)
        if found is None or found.start() >= edge:
            at = edge
        else:
            if found.end() == until:
                found = pattern.match(text, found.start()) or found
            yield found
            at = found.end()


def _private_keys(text: str) -> Iterator[Finding]:
    """From its first line to its last, or as far as the text goes."""
    at = 0
    for begun in matches(_KEY_BEGIN, text):
        if begun.start() >= at:
            ended = _KEY_END.search(text, begun.end())
            at = ended.end() if ended is not None else len(text)
            yield Finding("private_key", begun.start(), at)


def is_card(text: str) -> bool:
    """Luhn's checksum over 13 to 19 digits that begin as card numbers do (ISO/IEC 7812: 2 to 6)."""
    digits = [int(character) for character in text if character.isascii() and character.isdigit()]
    if not SHORTEST_CARD <= len(digits) <= LONGEST_CARD or not 2 <= digits[0] <= 6 or len(set(digits)) == 1:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
