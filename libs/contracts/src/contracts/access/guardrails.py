"""Guardrails of a key: what is looked for in its questions and answers, and what is done about it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.core.base import Count, Reply, Request

Action = Literal["off", "flag", "redact", "block"]
Where = Literal["input", "output", "retrieved"]


class TextGuards(Request):
    """What is done about findings: nothing, noted, masked by as many `*` (so that spans stay right), or refused."""

    secrets: Action = "off"
    """API keys, tokens, private keys."""
    pii: Action = "off"
    """E-mail addresses, card numbers, IBANs, phone numbers in international form, US social security numbers."""


class Guardrails(Request):
    """Rules for a key's calls that reach a model, by whichever route, streamed or not; `input` also for what is kept
    of conversations, before it is stored."""

    input: TextGuards = TextGuards()
    output: TextGuards = TextGuards()
    injection: Literal["off", "flag", "block"] = "flag"
    """Text retrieved from documents that gives a model orders."""
    max_input_chars: Annotated[int, Field(ge=1)] | None = None
    """Most characters of a request's texts together, keys and values, tools and unknown fields included; null means no
    limit but the body's."""


class GuardDecision(Reply):
    """One guard's decision on one call."""

    guard: str
    """`secrets`, `pii`, `injection` or `size`."""
    where: Where
    action: str
    """`flag`, `redact` or `block`."""
    kinds: list[str] = Field(default_factory=list)
    """What was found, as in `card`; never the text itself."""
    count: Count = 1
