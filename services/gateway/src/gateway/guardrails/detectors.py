"""What guards look for: patterns, and checksums where there are some, so that an order number is no card."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gateway.ports import Finding

LONGEST_CARD, SHORTEST_CARD = 19, 13

_SECRETS: Mapping[str, re.Pattern[str]] = {
    "private_key": re.compile(
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.S
    ),
    "groundwork_key": re.compile(r"\bgw_[A-Za-z0-9_-]{32,128}"),
    "aws_key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "github_token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})"),
    "gitlab_token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,255}"),
    "slack_token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,255}"),
    "openai_key": re.compile(r"\bsk-[A-Za-z0-9_-]{20,255}"),
    "google_key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),
    "stripe_key": re.compile(r"\b[rs]k_live_[0-9A-Za-z]{16,255}"),
    "jwt": re.compile(r"\beyJ[A-Za-z0-9_-]{8,2000}+\.eyJ[A-Za-z0-9_-]{8,2000}+\.[A-Za-z0-9_-]{8,2000}"),
}
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"
)
_DIGITS = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_PHONE = re.compile(r"(?<![\w+])(?:\+|00)[1-9]\d{0,2}(?:[ .()/-]{0,2}\d){6,13}(?!\w)")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")


class Secrets:
    """Credentials by their makers' prefixes."""

    name = "secrets"

    def find(self, text: str) -> list[Finding]:
        """Findings from left to right, none within another."""
        return disjoint(
            Finding(kind, found.start(), found.end())
            for kind, pattern in _SECRETS.items()
            for found in pattern.finditer(text)
        )


class PersonalData:
    """Data about people that can be told by its form."""

    name = "pii"

    def find(self, text: str) -> list[Finding]:
        """Findings from left to right, none within another."""
        return disjoint(self._all(text))

    def _all(self, text: str) -> Iterator[Finding]:
        if "@" in text:
            yield from (Finding("email", found.start(), found.end()) for found in _EMAIL.finditer(text))
        for found in _IBAN.finditer(text):
            end = _iban_end(found[0])
            if end:
                yield Finding("iban", found.start(), found.start() + end)
        yield from (
            Finding("card", found.start(), found.end()) for found in _DIGITS.finditer(text) if is_card(found[0])
        )
        yield from (Finding("phone", found.start(), found.end()) for found in _PHONE.finditer(text))
        yield from (Finding("ssn", found.start(), found.end()) for found in _SSN.finditer(text))


_FORGET = (
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|preceding|all|your)\b.{0,30}"
)
_ORDERS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        _FORGET + r"\b(?:instructions?|prompts?|rules|context|directions)\b",
        r"\b(?:ignoriere|vergiss|missachte)\b.{0,40}\b(?:anweisungen|instruktionen|regeln|vorgaben)\b",
        r"\b(?:ignore[rz]?|oublie[rz]?)\b.{0,40}\b(?:instructions|consignes) (?:pr[eé]c[eé]dentes|ci-dessus)\b",
        r"\b(?:reveal|print|repeat|output|show)\b.{0,30}\b(?:system prompt|hidden instructions|your instructions)\b",
        r"\byou are (?:now|no longer)\b.{0,60}\b(?:assistant|ai|model|bound|restricted|dan)\b",
        r"\b(?:do not|don't|never) (?:tell|inform|mention (?:this|it) to) the user\b",
        r"<\|(?:im_start|im_end|system|endoftext)\|>|\[/?INST\]|<</?SYS>>",
        r"^[ \t]{0,8}#{0,4}[ \t]?(?:system|assistant)\s?(?:prompt|message)?\s?:\s",
        r"[\U000E0020-\U000E007E]{4}",
    )
)


class Injection:
    """Orders to a model in text that should only inform it."""

    name = "injection"

    def find(self, text: str) -> list[Finding]:
        """Findings from left to right, none within another."""
        return disjoint(
            Finding("order", found.start(), found.end()) for pattern in _ORDERS for found in pattern.finditer(text)
        )


def disjoint(findings: Iterator[Finding]) -> list[Finding]:
    """From left to right; of two that overlap the longer, earlier one."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda one: (one.start, -one.end)):
        if not kept or finding.start >= kept[-1].end:
            kept.append(finding)
    return kept


def is_card(text: str) -> bool:
    """Luhn's checksum over 13 to 19 digits that begin as card numbers do (ISO/IEC 7812: 2 to 6)."""
    digits = [int(character) for character in text if character.isascii() and character.isdigit()]
    if not SHORTEST_CARD <= len(digits) <= LONGEST_CARD or not 2 <= digits[0] <= 6 or len(set(digits)) == 1:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """ISO 13616: country and checksum moved to the end, letters as numbers, modulo 97 is 1."""
    compact = text.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def _iban_end(text: str) -> int:
    """Where the IBAN at the start of a text ends: words in capitals may follow it; 0 if there is none."""
    ends = [at for at in range(len(text), 14, -1) if at == len(text) or text[at] == " "]
    return next((at for at in ends if is_iban(text[:at])), 0)
