"""Texts with findings, as people and programs write them."""

from __future__ import annotations

import random
from collections.abc import Callable

from servicekit.guards import ibans
from servicekit.guards.detectors import PersonalData, Secrets

AWS = "AKIA" + "IOSFODNN7EXAMPLE"


PERSONAL = {
    "email": "jo.doe+x@mail.example.org",
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "phone": "+49 170 1234567",
    "ssn": "123-45-6789",
}


GUARDS = (Secrets(), PersonalData())


LETTERS_OF = {"n": "0123456789", "a": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "c": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"}


def made_iban(country: str, seed: int) -> str:
    """An IBAN of a country's structure with the right checksum."""
    dice = random.Random(f"{country} {seed}")
    parts = ibans._PART.findall(ibans._STRUCTURES[country])
    rest = "".join(dice.choice(LETTERS_OF[kind]) for count, kind in parts for _ in range(int(count)))
    remainder = int("".join(str(int(one, 36)) for one in f"{rest}{country}00")) % 97
    return f"{country}{98 - remainder:02}{rest}"


def in_groups(text: str, by: str = " ") -> str:
    return by.join(text[at : at + 4] for at in range(0, len(text), 4))


IBANS = [made_iban(country, seed) for country in ibans._STRUCTURES for seed in range(3)]


WRITTEN: list[Callable[[str], str]] = [
    in_groups,
    str,
    str.lower,
    lambda iban: in_groups(iban).lower(),
    lambda iban: in_groups(iban, "-"),
    lambda iban: in_groups(iban, "\u00a0"),
    lambda iban: in_groups(iban, "\u202f"),
]


PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow IBAAK\nCAQEA\n-----END RSA PRIVATE KEY-----"
