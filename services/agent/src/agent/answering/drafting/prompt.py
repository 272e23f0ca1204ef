"""The prompt of an answer: the question, and the sources fenced as data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from agent.prompts.prompt import Prompt
from agent.questions.conversation import Image
from agent.questions.language import ENGLISH_NAMES, language_of
from agent.questions.messages.manner import NO_MANNER, Length, Manner
from agent.questions.output_form import OutputForm
from agent.relevance.passages import passages, plain
from agent.sanitisation.quotation import quotable
from agent.text.refusals import NO_ANSWER
from agent.text.sentences import cells
from contracts.models.catalog import ModelInfo
from contracts.models.chat import Message, Style, TextPart
from contracts.retrieval.search import Hit

PACKAGED_PROMPT = "answer.v1"
"""For the smallest models, which follow a few plain words best."""
ANSWER_PROMPT = "answer.v3"
"""For models of a billion parameters and more."""
FORM_PROMPT = "form.v1"
REFUSE, DO_NOT_REFUSE = f"write only: {NO_ANSWER}", "say so, and tell what they say that comes closest to it"
"""What prompts say to do where sources hold no answer, and what stands there where there is to be one in any case."""
CHARACTERS_A_TOKEN = 3.6
"""A cautious estimate for English; the model's own count is in the receipt."""
_RULE = re.compile(r"^(?:[ \t]*\|?[ \t:|-]*-{3,}[ \t:|-]*|-(?:\|-)+)(?:\n|$)", re.MULTILINE)
_LENGTHS: dict[Style | Length | None, str] = {
    None: "Answer in one to three short sentences.",
    "short": "Answer in one short sentence, with nothing that was not asked for.",
    "detailed": "Answer in full: all that the sources say to the question, with conditions and exceptions, in several "
    "sentences or a list.",
    "stated": "Keep to the length that the asker wants.",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a prompt is made of, besides the sources."""

    question: str
    instructions: str = ""
    style: Style | None = None
    schema: str = ""
    manner: Manner = NO_MANNER
    """What the message says about how to answer; `style` goes before."""
    always: bool = False
    """Whether there is to be an answer whatever the sources hold."""


def prompt_of(model: ModelInfo, form: OutputForm | None) -> str:
    """The version of the prompt that a model gets."""
    if form is not None:
        return FORM_PROMPT
    return PACKAGED_PROMPT if model.packaged else ANSWER_PROMPT


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


def messages(prompt: Prompt, asked: Asked, hits: Sequence[Hit], tokens: int) -> list[Message]:
    """The messages for the model. No document can close its own fence; control tokens of templates are taken apart."""
    limit = int(tokens * CHARACTERS_A_TOKEN)
    shown = hits if prompt.file == PACKAGED_PROMPT else fit([with_tables(hit) for hit in hits], tokens)
    sources = "\n\n".join(_fence(number, hit, limit) for number, hit in enumerate(shown, start=1))
    spoken = language_of(asked.question)
    language = asked.manner.language or (ENGLISH_NAMES[spoken] if spoken else None)
    length = _LENGTHS[asked.style or asked.manner.length]
    wanted = [length, f"The asker adds: {quotable(asked.manner.text)}"] if asked.manner.text else [length]
    words = {
        "instructions": f"The caller adds: {asked.instructions}" if asked.instructions else "",
        "language": language or "the language of the question",
        "length": length,
        "reminder": " ".join([*wanted, f"Write in {language}."] if language else wanted),
        "schema": asked.schema,
        "sources": sources,
        "question": quotable(asked.question),
    }
    system = prompt.system.substitute(words).strip()
    return [
        Message(role="system", content=system.replace(REFUSE, DO_NOT_REFUSE) if asked.always else system),
        Message(role="user", content=prompt.user.substitute(words)),
    ]


def with_images(messages: list[Message], images: Sequence[Image]) -> list[Message]:
    """The messages with the caller's pictures behind the question."""
    if not images:
        return messages
    *before, last = messages
    text = TextPart(type="text", text=last.plain_text())
    return [*before, last.model_copy(update={"content": [text, *(image.part for image in images)]})]


def with_tables(hit: Hit) -> Hit:
    """A hit as a model reads it: each cell of a table behind its column's name, where the table has such names."""
    text, ended, parts = hit.text, 0, list[str]()
    headers = set()
    for passage in passages([hit]):
        if passage.unit.header is None or not passage.labels:
            continue
        named = list(zip_longest(passage.labels, map(plain, cells(passage.text)), fillvalue=""))
        if passage.unit.header not in headers:
            headers.add(passage.unit.header)
            parts.append(text[ended : passage.unit.header[0]])
            ended = passage.unit.header[1] + text[passage.unit.header[1] :].startswith("\n")
        parts.append(_RULE.sub("", text[ended : passage.unit.start]))
        parts.append(" | ".join(f"{name}: {cell}" if name else cell for name, cell in named if cell))
        ended = passage.unit.end
    return hit.model_copy(update={"text": "".join([*parts, text[ended:]])}) if headers else hit


def _fence(number: int, hit: Hit, limit: int) -> str:
    title = quotable(hit.title).replace('"', "'").replace("\n", " ")
    text = quotable(hit.text[:limit])
    return f'<source number="{number}" title="{title}">\n{text}\n</source>'
