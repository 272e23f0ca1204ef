"""The prompt: a versioned file, with the sources fenced as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from string import Template

from agent.prompts.quotation import quotable
from contracts.chat import Message
from contracts.search import Hit

ANSWER_PROMPT = "answer.v1"
NO_ANSWER = "NO ANSWER"
CHARACTERS_A_TOKEN = 3.6
"""A cautious estimate for English; the model's own count is in the receipt."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Two templates and the version that the receipt names."""

    version: str
    system: Template
    user: Template


@lru_cache(maxsize=8)
def load_prompt(version: str = ANSWER_PROMPT) -> Prompt:
    """The prompt of that version."""
    text = files("agent").joinpath("prompts", f"{version}.md").read_text(encoding="utf-8")
    system, user = text.split("## user", 1)
    return Prompt(version, Template(system.replace("## system", "", 1).strip()), Template(user.strip()))


def fit(hits: Sequence[Hit], tokens: int) -> list[Hit]:
    """The first hits that fit into so many tokens; of the very first, at least as much as fits."""
    room = int(tokens * CHARACTERS_A_TOKEN)
    kept: list[Hit] = []
    for hit in hits:
        if kept and len(hit.text) > room:
            break
        kept.append(hit)
        room -= len(hit.text) + 60
    return kept


def messages(question: str, hits: Sequence[Hit], instructions: str, tokens: int) -> list[Message]:
    """The messages for the model. No document can close its own fence; control tokens of templates are taken apart."""
    prompt = load_prompt()
    limit = int(tokens * CHARACTERS_A_TOKEN)
    sources = "\n\n".join(_fenced(number, hit, limit) for number, hit in enumerate(hits, start=1))
    asked = f"The caller adds: {instructions}" if instructions else ""
    return [
        Message(role="system", content=prompt.system.substitute(instructions=asked).strip()),
        Message(role="user", content=prompt.user.substitute(sources=sources, question=quotable(question))),
    ]


def _fenced(number: int, hit: Hit, limit: int) -> str:
    title = quotable(hit.title).replace('"', "'").replace("\n", " ")
    text = quotable(hit.text[:limit])
    return f'<source number="{number}" title="{title}">\n{text}\n</source>'
