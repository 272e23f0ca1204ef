"""What is searched for besides the question: what a model makes of it, where the caller asks for that.

Off unless asked for, bounded in time, and never the reason for no answer: without it the question is searched for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import structlog

from agent.answering.drafting.generation import begin_draft, chosen_model
from agent.answering.state import AnswerState, Context
from agent.errors import ModelNotAnswerable, is_policy
from agent.prompts.packaged import QUERIES_PROMPT
from agent.prompts.prompt import Prompt
from agent.sanitisation.quotation import quotable
from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatRequest, Message, Rewrite, StreamOptions
from contracts.retrieval.search import Hit
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
MOST_QUERIES = 3
MOST_CHARACTERS = 500
"""Of one query."""
MOST_TOKENS = 160
RANK_OFFSET = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009)."""
TASKS: dict[Rewrite, str] = {
    "follow_up": "Write the last question so that it can be understood without the ones before it, on one line.",
    "several": f"Write {MOST_QUERIES} different search queries for the question, one a line, each in other words.",
    "hypothetical": "Write two sentences that could stand in a document and would answer the question, on one line.",
}
_MARK = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+|[\"“”]")


async def queries(state: AnswerState, context: Context) -> list[str]:
    """The texts to search for, the first of which is the question; a rewritten follow-up takes its place."""
    conversation, standalone = state["conversation"], state["standalone"]
    asked = conversation.options.rewrite
    if asked is None or (asked == "follow_up" and not conversation.earlier):
        return [standalone]
    model = await _writing_model(state, context)
    lines = await _written(asked, model, state, context) if model is not None else []
    if asked == "follow_up" and lines:
        alone = lines[0] if conversation.form is None else conversation.form.searched(lines[0])
        found = [alone]
    else:
        found = [standalone, *lines]
    context.receipt.queries = list(dict.fromkeys(found))
    return context.receipt.queries


async def _writing_model(state: AnswerState, context: Context) -> ModelInfo | None:
    """The model that is to answer, if it can write queries: the packaged one can't."""
    model = None
    try:
        model = await chosen_model(context, state["conversation"].options)
    except ServiceError as error:
        if is_policy(error) or isinstance(error, ModelNotAnswerable):
            raise
        log.warning("question not rewritten", code=error.code)
    if model is None or model.packaged:
        context.receipt.degrade("rewrite_unavailable")
        return None
    return model


async def _written(asked: Rewrite, model: ModelInfo, state: AnswerState, context: Context) -> list[str]:
    """What the model wrote in time, line by line."""
    seconds = context.settings.rewrite_seconds
    until = asyncio.get_running_loop().time() + seconds
    try:
        draft = await begin_draft(
            _request(asked, model, state, await context.prompt(QUERIES_PROMPT)), context, model, seconds
        )
        try:
            async with asyncio.timeout_at(until):
                text = "".join([piece async for piece in draft.pieces])
        finally:
            await draft.end()
    except ServiceError as error:
        if is_policy(error):
            raise
        log.warning("question not rewritten", code=error.code)
        context.receipt.degrade("rewrite_unavailable")
        return []
    except TimeoutError:
        context.receipt.degrade("rewrite_timeout")
        return []
    lines = (" ".join(_MARK.sub("", line).split())[:MOST_CHARACTERS] for line in text.splitlines())
    return [line for line in lines if any(map(str.isalnum, line))][:MOST_QUERIES]


def _request(asked: Rewrite, model: ModelInfo, state: AnswerState, prompt: Prompt) -> ChatRequest:
    conversation = state["conversation"]
    before = "\n".join(f"Asked before: {quotable(text)}" for text in conversation.earlier)
    words = {"task": TASKS[asked], "earlier": before, "question": quotable(conversation.question)}
    said = [
        Message(role="system", content=prompt.system.substitute(words)),
        Message(role="user", content=prompt.user.substitute(words).strip()),
    ]
    options = {"stream": True, "stream_options": StreamOptions(include_usage=True)}
    return ChatRequest.model_validate(
        {"model": model.id, "messages": said, "max_tokens": MOST_TOKENS, "temperature": 0.0, **options}
    )


def fused(found: Sequence[Sequence[Hit]], limit: int) -> list[Hit]:
    """The hits of several searches by reciprocal rank, each once."""
    scores: dict[tuple[str, str], float] = {}
    hits: dict[tuple[str, str], Hit] = {}
    for ranked in found:
        for place, hit in enumerate(ranked):
            key = (hit.collection, hit.chunk_id)
            hits.setdefault(key, hit)
            scores[key] = scores.get(key, 0.0) + 1 / (RANK_OFFSET + 1 + place)
    return [hits[key] for key in sorted(scores, key=lambda key: -scores[key])[:limit]]
