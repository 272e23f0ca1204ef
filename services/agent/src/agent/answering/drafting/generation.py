"""The node `answer`: asks the model, and waits for the first piece of its draft."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack

import structlog

from agent.answering.drafting.prompt import CHARACTERS_A_TOKEN, Asked, fit, messages, prompt_of, with_images
from agent.answering.drafting.room import room_for_sources, seconds_to_first_token
from agent.answering.errors import ImagesNotRead
from agent.answering.state import AnswerState, Begun, Context, Draft
from agent.errors import ModelNotAnswerable, is_policy
from agent.prompts.packaged import name_of
from agent.prompts.prompt import Prompt
from agent.questions.conversation import Conversation
from contracts.agents.prompts import PACKAGED_PREFIX
from contracts.core.abstention import Abstain
from contracts.models.catalog import ModelInfo
from contracts.models.chat import (
    AnswerOptions,
    AnswerReport,
    ChatCompletionChunk,
    ChatRequest,
    Grounding,
    StreamOptions,
)
from contracts.models.receipts import Attempt
from contracts.retrieval.search import Hit
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
RESERVE_SECONDS = 2.0
"""Kept of the deadline for what comes after the draft."""
PROMPT_TOKENS = 600
"""Of a prompt that ships, besides sources and the caller's instructions, the question included."""


async def answer(state: AnswerState, context: Context) -> AnswerState:
    """A draft whose first piece is there. None when the model can't be had, or is not worth its time: the answer falls
    back without it."""
    options = state["conversation"].options
    model: ModelInfo | None = None
    draft: Draft | None = None
    try:
        model = await chosen_model(context, options)
        if model is not None:
            prompt = await context.prompt(prompt_of(model, state["conversation"].form))
            grounding = grounding_of(state, model)
            if words_are_wanted(model, prompt, options, grounding):
                draft = await begin_draft(chat_request(state, context, model, prompt), context, model)
    except ServiceError as error:
        if is_policy(error) or isinstance(error, ModelNotAnswerable) or state["conversation"].images:
            raise
        log.warning("model unavailable", code=error.code)
        context.receipt.degrade("model_unavailable")
    except TimeoutError:
        if state["conversation"].images:  # which an answer without the model would leave out
            raise
        context.receipt.degrade("model_timeout")
    if model is None:
        context.receipt.degrade("model_unavailable")
    context.send(Begun(state["hits"]))
    return {"draft": draft, "grounding": grounding_of(state, model)}


async def chosen_model(context: Context, options: AnswerOptions) -> ModelInfo | None:
    """The model that is to answer, None where there is no default one; raises where there is none of the name."""
    model = await context.model
    if model is None and options.model not in (None, "default"):
        raise ModelNotAnswerable(options.model or "")
    return model


async def check_reads_images(context: Context, conversation: Conversation) -> None:
    """Raise unless the model that will answer reads the pictures that were sent. Before any work is done."""
    model = await chosen_model(context, conversation.options)
    if model is None or not model.images:
        raise ImagesNotRead(conversation.images[0].message)


def grounding_of(state: AnswerState, model: ModelInfo | None) -> Grounding:
    """As the call says, else the default. What a picture shows stands in no document: there nobody's doubt counts."""
    conversation = state["conversation"]
    doubted = state["abstain"] and not conversation.images
    return conversation.options.grounding or default_grounding(model, state["decides"], doubted)


def default_grounding(model: ModelInfo | None, decides: Abstain, doubted: bool = False) -> Grounding:
    """`strict` with the packaged model or none, and where rules and reading model see no answer (`doubted`): a model's
    "yes" to their "no" counts as far as sources support it. Else `annotate`, as where the model is always to answer."""
    if decides == "never":
        return "annotate"
    return "strict" if model is None or model.packaged or doubted else "annotate"


def words_are_wanted(model: ModelInfo, prompt: Prompt, options: AnswerOptions, grounding: Grounding) -> bool:
    """Whether a model's words are likely to be part of the answer (decision 0129).

    Of what the packaged one writes hardly a sentence is supported and answers, and it takes ten times as long as all
    else. It is asked where words are sent as they come, or a prompt of one's own is to be tried.
    """
    named = (options.prompt or "").partition("@")[0]
    tried = named == name_of(prompt.file) or (named and not named.startswith(PACKAGED_PREFIX))
    if not model.packaged or tried or prompt.version != prompt.file:
        return True
    return grounding != "strict"


async def begin_draft(request: ChatRequest, context: Context, model: ModelInfo, seconds: float | None = None) -> Draft:
    """A draft whose first piece is there; raises what the model plane raises, `TimeoutError` where that takes longer
    than `seconds`, or `AGENT_FIRST_TOKEN_SECONDS` and what a slow model needs."""
    context.receipt.model = model.id
    most = seconds_to_first_token(request, model, context.settings) if seconds is None else seconds
    wait_seconds = min(most, max(0.0, context.remaining() - RESERVE_SECONDS))
    started = time.perf_counter()
    call = await context.closing.enter_async_context(AsyncExitStack())
    try:
        async with asyncio.timeout(wait_seconds):
            chunks = await call.enter_async_context(context.models.chat(request, context.token))
            context.receipt.add_version(chunks.version)
            texts = texts_of(chunks, context)
            first = await anext(texts, "")
    except (ServiceError, TimeoutError) as error:
        _add_attempt(context, started, error.code if isinstance(error, ServiceError) else "timeout")
        await call.aclose()  # nobody waits for it any more
        raise
    pieces = _from(first, texts, context, started)
    call.push_async_callback(pieces.aclose)
    return Draft(pieces, model.packaged, call.aclose)


def chat_request(state: AnswerState, context: Context, model: ModelInfo, prompt: Prompt) -> ChatRequest:
    """The best chunks that fit, first those that the best passages come from."""
    settings, evidence = context.settings, state["evidence"]
    most = settings.packaged_answer_tokens if model.packaged else settings.answer_tokens
    if context.max_tokens is not None:
        most = min(most, context.max_tokens) if model.packaged else context.max_tokens
    conversation = state["conversation"]
    form = conversation.form
    schema = json.dumps(form.schema, ensure_ascii=False) if form else ""
    added = len(conversation.instructions) + len(conversation.manner.text) + len(schema)
    room = room_for_sources(
        model,
        settings,
        beside=most + PROMPT_TOKENS + int((added + prompt.longer) / CHARACTERS_A_TOKEN),
        around=int((added + prompt.length + len(state["standalone"])) / CHARACTERS_A_TOKEN),
    )
    best_first: dict[str, Hit] = {one.passage.hit.chunk_id: one.passage.hit for one in evidence.ranked}
    hits = fit([*best_first.values()], room)
    asked = Asked(
        state["standalone"],
        conversation.instructions,
        conversation.options.style,
        schema,
        manner=conversation.manner,
        always=state.get("decides") == "never",
    )
    context.receipt.prompt, context.receipt.prompt_file = prompt.version, prompt.file
    sampling = {"temperature": 0.0, **context.sampling}
    return ChatRequest.model_validate(
        {
            "model": model.id,
            "messages": with_images(messages(prompt, asked, hits, room), conversation.images),
            "stream": True,
            "stream_options": StreamOptions(include_usage=True),
            "max_tokens": most,
            **sampling,
            **({"response_format": form.asked} if form else {}),
        }
    )


async def _from(first: str, texts: AsyncIterator[str], context: Context, started: float) -> AsyncGenerator[str]:
    """The pieces of a draft that has begun; raises what ends it early, `TimeoutError` at the deadline."""
    outcome = "ok"
    try:
        text: str | None = first
        while text is not None:
            if text:
                yield text
            with context.receipt.stage("answer", traced=False):
                async with asyncio.timeout(max(0.0, context.remaining() - RESERVE_SECONDS)):
                    text = await anext(texts, None)
    except ServiceError as error:
        outcome = error.code
        raise
    except TimeoutError:
        outcome = "timeout"
        raise
    except GeneratorExit:
        outcome = "cut"
        raise
    finally:
        _add_attempt(context, started, outcome)


async def texts_of(chunks: AsyncIterator[ChatCompletionChunk], context: Context) -> AsyncIterator[str]:
    """The pieces of a model's answer; what it used and which model it was goes into the receipt."""
    async for chunk in chunks:
        context.receipt.add_usage(chunk.usage)
        context.receipt.model = chunk.model
        if isinstance(chunk.groundwork, AnswerReport) and chunk.groundwork.receipt is not None:
            context.receipt.attempts.extend(chunk.groundwork.receipt.attempts)
            context.receipt.guardrails.extend(chunk.groundwork.receipt.guardrails)
        for choice in chunk.choices:
            if choice.delta.content:
                yield choice.delta.content


def _add_attempt(context: Context, started: float, outcome: str) -> None:
    """Note the call, unless the model plane named the upstreams that it tried."""
    if not context.receipt.attempts:
        spent = round((time.perf_counter() - started) * 1000, 1)
        model = context.receipt.model or "default"
        context.receipt.attempts.append(Attempt(model=model, upstream="model_plane", outcome=outcome, ms=spent))
