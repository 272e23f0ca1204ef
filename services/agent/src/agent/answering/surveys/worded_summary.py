"""A summary in a model's words: each part of a long document summed up, then those together.

What it says is checked like any answer: only sentences that a span of the document supports are kept, and cited.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import structlog

from agent.answering.drafting.drafts import DraftSentence
from agent.answering.drafting.generation import RESERVE_SECONDS, texts_of
from agent.answering.drafting.prompt import CHARACTERS_A_TOKEN
from agent.answering.drafting.room import room_for_sources
from agent.answering.drafting.sentence_check import check
from agent.answering.drafting.writer import Writer
from agent.answering.state import Context
from agent.errors import is_policy
from agent.ports import Vector
from agent.prompts.prompt import Prompt
from agent.questions.question import Question
from agent.relevance.evidence import Evidence
from agent.relevance.passages import passages
from agent.sanitisation.quotation import quotable
from agent.text.sentences import sentences
from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatRequest, Message, StreamOptions
from contracts.retrieval.search import Hit
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
PROMPT = "summary.v1"
PARTS = 8
"""Parts of a long document, each a call of the model; what is left after them is not read."""
TOKENS_A_SENTENCE = 60
EMBEDDINGS_UNAVAILABLE = "embeddings_unavailable"
_MARKER = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
MARGIN_TOKENS = 400
"""Kept of a model's context for the words of the prompt that ships."""


async def connected_model(context: Context) -> ModelInfo | None:
    """The model that is asked for, or the default one, if it can sum up: the packaged one can't."""
    try:
        model = await context.model
    except ServiceError as error:
        if is_policy(error):
            raise
        context.receipt.degrade("model_unavailable")
        return None
    return None if model is None or model.packaged else model


async def word_summary(read: Sequence[Hit], count: int, model: ModelInfo, context: Context, writer: Writer) -> bool:
    """Write what the model says of a document in so many sentences and the document supports; False if nothing is.

    Raises what is a decision about the caller; where the model fails otherwise, that is noted.
    """
    try:
        async with asyncio.timeout(max(0.0, context.remaining() - RESERVE_SECONDS)):
            said = await _sum_up(read, count, model, context)
    except (ServiceError, TimeoutError) as error:
        if isinstance(error, ServiceError) and is_policy(error):
            raise
        log.warning("no summary by the model", error=repr(error)[:200])
        context.receipt.degrade("model_timeout" if isinstance(error, TimeoutError) else "model_unavailable")
        return False
    await _write_supported(_sentences(said)[:count], read, context, writer)
    if writer.empty:
        context.receipt.degrade("draft_unsupported")
    return not writer.empty


async def _write_supported(said: Sequence[str], read: Sequence[Hit], context: Context, writer: Writer) -> None:
    """Write the sentences that the document supports; without embeddings the wording alone decides."""
    vectors: list[Vector] | None = None if EMBEDDINGS_UNAVAILABLE in context.receipt.degraded else []
    evidence = Evidence(Question(read[0].title), passages(read), [], vectors, [], 1.0)
    for text in said:
        sentence = DraftSentence(text, "\n")
        try:
            checked = await check(sentence, evidence, context)
        except ServiceError as error:
            if is_policy(error) or evidence.vectors is None:
                raise
            context.receipt.degrade(EMBEDDINGS_UNAVAILABLE)
            evidence = replace(evidence, vectors=None)
            checked = await check(sentence, evidence, context)
        if checked is not None:
            writer.write_cited(f"- {checked.text}", "\n", checked.support)


def _sentences(said: str) -> list[str]:
    """Of a model that may have written a list all the same."""
    lines = [_MARKER.sub("", line) for line in said.splitlines()]
    return [line[begin:end] for line in lines for begin, end in sentences(line)]


async def _sum_up(read: Sequence[Hit], count: int, model: ModelInfo, context: Context) -> str:
    prompt = await context.prompt(PROMPT)
    room = _room(model, count, prompt, context)
    parts = list(_parts([hit.text for hit in read], room))
    if len(parts) > PARTS:
        context.receipt.degrade("document_cut")
    title = read[0].title
    said = [await _ask(prompt, title, part, count, model, context) for part in parts[:PARTS]]
    if len(said) == 1:
        return said[0]
    share = room // len(said) - 1  # the most important of each part comes first
    return await _ask(prompt, title, "\n".join(one[:share] for one in said), count, model, context)


def _room(model: ModelInfo, count: int, prompt: Prompt, context: Context) -> int:
    """Characters of a document that go into one call."""
    beside = count * TOKENS_A_SENTENCE + MARGIN_TOKENS + int(prompt.longer / CHARACTERS_A_TOKEN)
    around = int(prompt.length / CHARACTERS_A_TOKEN)
    return int(room_for_sources(model, context.settings, beside=beside, around=around) * CHARACTERS_A_TOKEN)


def _parts(texts: Sequence[str], room: int) -> Iterator[str]:
    part = ""
    for text in texts:
        for at in range(0, len(text), room):
            piece = text[at : at + room]
            if part and len(part) + len(piece) > room:
                yield part
                part = ""
            part += f"{piece}\n"
    if part:
        yield part


async def _ask(prompt: Prompt, title: str, text: str, count: int, model: ModelInfo, context: Context) -> str:
    asked = prompt.user.substitute(title=quotable(title).replace('"', "'"), text=quotable(text), count=count)
    request = ChatRequest(
        model=model.id,
        messages=[
            Message(role="system", content=prompt.system.substitute()),
            Message(role="user", content=asked),
        ],
        stream=True,
        stream_options=StreamOptions(include_usage=True),
        max_tokens=count * TOKENS_A_SENTENCE,
        temperature=0.0,
    )
    async with context.models.chat(request, context.token) as chunks:
        context.receipt.add_version(chunks.version)
        return "".join([piece async for piece in texts_of(chunks, context)])
