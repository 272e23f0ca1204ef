"""Completions in OpenAI's first shape: a text that a model goes on with, without roles or a chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from contracts.core.base import Count, Reply
from contracts.core.values import Passed, Text, unlike
from contracts.models.chat import OTHER_COUNTS, OTHER_LENGTHS, ChatRequest, ChatUsage, Message, StreamOptions
from contracts.models.tokens import TokenId, check_texts_or_tokens, token_lists

MAX_PROMPTS = 128
USUAL_TOKENS = 16
"""Length of an answer when the caller says none; as OpenAI has it."""
IN_TOKENS = "token_ids"
"""A raw prompt's field that has token ids in place of its text."""
_FIELDS = ("model", "prompt", "stream", "stream_options", "max_tokens", "temperature", "top_p", "stop", "seed", "n")
_RequestName = Annotated[str, unlike(*_FIELDS, "groundwork", "raw_prompts", *OTHER_LENGTHS, *OTHER_COUNTS)]


def _prompts(value: object) -> object:
    return check_texts_or_tokens(value, MAX_PROMPTS)


class CompletionRequest(BaseModel):
    """Body of `POST /v1/completions`, for plain models. Unknown fields (`suffix`, `best_of`, penalties) are kept: they
    belong to the model, which refuses by name what it can't do.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[_RequestName, Passed]
    model: Annotated[str, Field(min_length=1, max_length=1100)]
    prompt: Annotated[Text | list[Text] | list[TokenId] | list[list[TokenId]], BeforeValidator(_prompts)]
    """A text or a list of 1 to 128 texts: the answers to the second follow those to the first. Or their token ids,
    which must be those of the model's own tokenizer."""
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, lt=2**63)] | None = USUAL_TOKENS
    echo: bool | None = None
    """Whether each answer begins with its prompt."""
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """For how many of the likeliest tokens to say their log probabilities at each place."""
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    stop: Text | list[Text] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    n: Annotated[int, Field(ge=1, le=16)] | None = None


class CompletionLogprobs(Reply):
    """Log probabilities of an answer's tokens, in its order."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[Count]
    """Where each token begins in the text, in characters."""


class CompletionChoice(Reply):
    """One answer, or in a stream a piece of it."""

    index: Count = 0
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: str | None = None


class TextCompletion(Reply):
    """A whole answer, and each `data:` line of a stream."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: Count
    model: str
    choices: list[CompletionChoice]
    usage: ChatUsage | None = None


def as_chat(request: CompletionRequest) -> dict[str, Any]:
    """The same as the body of a chat request whose messages are raw prompts; token ids, which must become texts before
    anything else is done with it, are in a field of each message."""
    body = request.model_dump(mode="json", exclude_unset=True, exclude={"prompt"})
    tokens = token_lists(request.prompt)
    if tokens is not None:
        messages: list[dict[str, Any]] = [{"role": "user", "content": None, IN_TOKENS: ids} for ids in tokens]
    else:
        prompts = request.prompt if isinstance(request.prompt, list) else [request.prompt]
        messages = [{"role": "user", "content": prompt} for prompt in prompts]
    return {**body, "max_tokens": request.max_tokens or USUAL_TOKENS, "messages": messages, "raw_prompts": True}


def token_ids_of(request: ChatRequest) -> list[list[int]] | None:
    """The token ids that such a chat has in place of texts; None where it has texts."""
    ids = [(message.model_extra or {}).get(IN_TOKENS) for message in request.messages] if request.raw_prompts else []
    return [each for each in ids if each is not None] or None


def with_texts(request: ChatRequest, texts: Sequence[str]) -> ChatRequest:
    """The same with texts in place of token ids."""
    return request.model_copy(update={"messages": [Message(role="user", content=text) for text in texts]})
