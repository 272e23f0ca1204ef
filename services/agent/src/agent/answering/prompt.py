"""The prompt of an answer: the question, and the sources fenced as data."""

from __future__ import annotations

from collections.abc import Sequence

from agent.prompts.prompt import load_prompt
from agent.prompts.quotation import quotable
from contracts.models.chat import Message
from contracts.retrieval.search import Hit

ANSWER_PROMPT = "answer.v1"
NO_ANSWER = "NO ANSWER"
CHARACTERS_A_TOKEN = 3.6
"""A cautious estimate for English; the model's own count is in the receipt."""


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
    prompt = load_prompt(ANSWER_PROMPT)
    limit = int(tokens * CHARACTERS_A_TOKEN)
    sources = "\n\n".join(_fence(number, hit, limit) for number, hit in enumerate(hits, start=1))
    asked = f"The caller adds: {instructions}" if instructions else ""
    return [
        Message(role="system", content=prompt.system.substitute(instructions=asked).strip()),
        Message(role="user", content=prompt.user.substitute(sources=sources, question=quotable(question))),
    ]


def _fence(number: int, hit: Hit, limit: int) -> str:
    title = quotable(hit.title).replace('"', "'").replace("\n", " ")
    text = quotable(hit.text[:limit])
    return f'<source number="{number}" title="{title}">\n{text}\n</source>'
