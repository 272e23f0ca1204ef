"""International bank account numbers, by country, structure and checksum (ISO 13616)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from servicekit.guards.findings import Finding

LONGEST = 34
_REGISTRY = (
    "AD=8n12c AE=19n AL=8n16c AT=16n AZ=4a20c BA=16n BE=12n BG=4a6n8c BH=4a14c BI=23n BR=23n1a1c BY=4c4n16c "
    "CH=5n12c CR=18n CY=8n16c CZ=20n DE=18n DJ=23n DK=14n DO=4c20n EE=16n EG=25n ES=20n FI=14n FK=2a12n FO=14n "
    "FR=10n11c2n GB=4a14n GE=2a16n GI=4a15c GL=14n GR=7n16c GT=4c20c HN=4a20n HR=17n HU=24n IE=4a14n IL=19n "
    "IQ=4a15n IS=22n IT=1a10n12c JO=4a4n18c KW=4a22c KZ=3n13c LB=4n20c LC=4a24c LI=5n12c LT=16n LU=3n13c LV=4a13c "
    "LY=21n MC=10n11c2n MD=2c18c ME=18n MK=3n10c2n MN=16n MR=23n MT=4a5n18c MU=4a19n3a NI=4a20n NL=4a10n NO=11n "
    "OM=3n16c PK=4a16c PL=24n PS=4a21c PT=21n QA=4a21c RO=4a16c RS=18n RU=14n15c SA=2n18c SC=4a20n3a SD=14n SE=20n "
    "SI=15n SK=20n SM=1a10n12c SO=19n ST=21n SV=4a20n TL=19n TN=20n TR=6n16c UA=6n19c VA=18n VG=4a16n XK=16n "
    "YE=4a4n18c"
)
_STRUCTURES = {entry[:2]: entry[3:] for entry in _REGISTRY.split()}
"""What follows country and checksum, of the SWIFT registry of 2025: so many digits (n), letters (a) or either (c)."""
_PART = re.compile(r"(\d+)([nac])")
_CLASSES = {"n": "0-9", "a": "A-Z", "c": "A-Z0-9"}
_START = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z]{2}[0-9]{2}")
_TAIL_CHARACTERS = 2 * LONGEST
"""Of an IBAN that is being written, with a space after each of its characters."""


def _classes(country: str) -> list[str]:
    return [_CLASSES[kind] for count, kind in _PART.findall(_STRUCTURES[country]) for _ in range(int(count))]


def _begun(country: str) -> str:
    pattern = ""
    for one in reversed(_classes(country)):
        pattern = f"(?:[ -]?[{one}]{pattern})?"
    return pattern


_REST = {
    country: re.compile("".join(f"[ -]?[{one}]" for one in _classes(country)), re.IGNORECASE | re.ASCII)
    for country in _STRUCTURES
}
"""What follows, with a space or a hyphen before any character."""
_BEGUN = {country: re.compile(_begun(country), re.IGNORECASE | re.ASCII) for country in _STRUCTURES}
"""As much of it as is there."""
_ENDS = re.compile(r"(?![A-Za-z0-9_])")


def find_ibans(text: str) -> Iterator[Finding]:
    """All in a text; each beginning is read once, so that time grows with the text and not with what it tries."""
    for begun in _START.finditer(text):
        rest = _REST.get(begun[0][:2].upper())
        found = rest.match(text, begun.end()) if rest is not None else None
        if found is not None and _ENDS.match(text, found.end()) and is_iban(text[begun.start() : found.end()]):
            yield Finding("iban", begun.start(), found.end())


def is_iban(text: str) -> bool:
    """Whether country and checksum moved to the end, letters as numbers, are 1 modulo 97."""
    compact = text.replace(" ", "").replace("-", "").upper()
    moved = compact[4:] + compact[:4]
    return 15 <= len(compact) <= LONGEST and int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def begins_iban(text: str) -> int:
    """From where on the end of a text may be the beginning of an IBAN; its length if it is none."""
    since = max(0, len(text) - _TAIL_CHARACTERS)
    for begun in _START.finditer(text, since):
        pattern = _BEGUN.get(begun[0][:2].upper())
        if pattern is not None and pattern.fullmatch(text[begun.end() :].rstrip(" -")):
            return begun.start()
    return len(text)
