"""Texts with findings, as people and programs write them, and screens to look at them with."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from contracts.access.guardrails import Guardrails
from contracts.models.chat import ChatRequest
from contracts.operations.table import OPERATIONS
from gateway.guardrails import ibans
from gateway.guardrails.detectors import PersonalData, Secrets
from gateway.guardrails.screen import Screen

AWS = "AKIA" + "IOSFODNN7EXAMPLE"


PERSONAL = {
    "email": "jo.doe+x@mail.example.org",
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "phone": "+49 170 1234567",
    "ssn": "123-45-6789",
}


MAIL, CARD = "jane.roe@acme.example", "4111 1111 1111 1111"


MASK = "*" * len(MAIL)


REACHES = {operation.id: operation.reach for operation in OPERATIONS}


def screen(route: str = "POST /v1/chat/completions", **rules: Any) -> Screen:
    return Screen(Guardrails.model_validate(rules), REACHES[route])


CITATION = {
    "type": "url_citation",
    "url_citation": {"title": f"Contact {MAIL}", "url": "https://a.example/1", "start_index": 0, "end_index": 3},
    "title": f"Contact {MAIL}",
    "source": f"{MAIL}.md",
    "document_id": "contact",
    "quote": "x",
}


REPORT = {
    "sources": [{"title": f"Contact {MAIL}", "source": MAIL, "text": MAIL, "document_id": "contact"}],
    "pending_tool_calls": [{"id": "c1", "name": "post", "arguments": {"to": MAIL, MAIL: 1, "n": 4111111111111111}}],
    "receipt": {"model": "m", "request_id": "req_1"},
    "added_later": [{"by": {"somebody": MAIL}}],
}


GUARDS = (Secrets(), PersonalData())


LETTERS_OF = {"n": "0123456789", "a": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "c": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"}


def parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


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


def chat(*contents: Any, **more: Any) -> ChatRequest:
    messages = [{"role": "user", "content": content} for content in contents]
    return ChatRequest.model_validate({"model": "m", "messages": messages, **more})
