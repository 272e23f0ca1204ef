"""A chat request as llama.cpp's server takes it: checked, with its own names, and without what it would ignore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.models.chat import ChatRequest, Message
from inference.catalog.llama_options import GenerationDefaults
from inference.errors import Unsupported
from inference.requests.conversation import ContentUnsupported
from inference.requests.generation_request import ANY_OBJECT, GenerationRequest, read_generation_request
from inference.schemas.grammar import grammar_schema
from inference.tool_calls.calls import FIELDS
from servicekit.core.errors import InvalidRequest

PICTURE = "image_url"
DATA_URL = "data:"
SEEDS = 2**32 - 1
"""llama.cpp's seeds are below; this one means a random one."""


class _More(BaseModel):
    """What llama.cpp samples by beyond OpenAI's parameters, in vLLM's names."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    top_k: Annotated[int, Field(ge=-1, le=100_000)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    reasoning_effort: Annotated[str, Field(max_length=20)] | None = None
    ignore_eos: bool = False
    min_tokens: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, slots=True)
class LlamaModel:
    """What a request is read by: the model's context, its habits, and what it can."""

    context_length: int
    defaults: GenerationDefaults
    native_tools: bool = False
    pictures: bool = False
    control_tokens: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LlamaRequest:
    """The answers that are asked for: `body` is that of the first."""

    body: dict[str, Any]
    choices: int
    shows_likeliest: bool
    """Whether the likeliest tokens are reported beside each."""

    def of(self, choice: int) -> ChatRequest:
        """The request for one choice; with a seed each has its own."""
        body = dict(self.body)
        if body.get("seed") is not None:
            body["seed"] = (body["seed"] + choice) % SEEDS
        return ChatRequest.model_validate(body)


def read_request(request: ChatRequest, model: LlamaModel) -> LlamaRequest:
    """Raises 400 for what makes no sense or would be ignored."""
    extra = dict(request.model_extra or {})
    more = _read_more({name: extra.pop(name) for name in _More.model_fields if extra.get(name) is not None})
    template = _template(extra.pop("chat_template_kwargs", None), more)
    fields = request.model_dump(mode="json", exclude_unset=True, include=set(ChatRequest.model_fields))
    fields["messages"] = [_text_of(number, message, model) for number, message in enumerate(request.messages)]
    read = read_generation_request(ChatRequest.model_validate({**fields, **extra}))
    asked = request.max_completion_tokens or request.max_tokens or model.defaults.max_tokens or model.context_length
    body: dict[str, Any] = {
        "model": request.model,
        "messages": _messages(request, read, model),
        "max_tokens": min(asked, model.context_length),
        **_sampling(request, extra, model.defaults),
        **_more(more, model.defaults, is_prose=read.schema is None and read.tools is None),
        **_form(extra, read),
    }
    if _is_filled(more, body["max_tokens"], read):
        body["ignore_eos"] = True
    if read.stops:
        body["stop"] = list(read.stops)
    if template and not request.raw_prompts:
        body["chat_template_kwargs"] = template
    if request.raw_prompts:
        body["raw_prompts"] = True
    if read.sampling.logprobs:
        likeliest = max(1, read.sampling.top_logprobs)
        body |= {"logprobs": likeliest} if read.raw else {"logprobs": True, "top_logprobs": likeliest}
    return LlamaRequest(body, read.choices, read.sampling.top_logprobs > 0)


def _read_more(given: dict[str, Any]) -> _More:
    try:
        return _More.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InvalidRequest(f"{name}: {first['msg']}.", param=name) from None


def _template(given: object, more: _More) -> dict[str, Any]:
    """What the chat template is told. One of a model that does not reason knows of no effort, and nothing changes."""
    if given is not None and not isinstance(given, dict):
        raise InvalidRequest("`chat_template_kwargs` must be an object.", param="chat_template_kwargs")
    effort = {} if more.reasoning_effort is None else {"reasoning_effort": more.reasoning_effort}
    return {**effort, **(given or {})}


def _text_of(number: int, message: Message, model: LlamaModel) -> dict[str, Any]:
    """The message without pictures, which a model that sees them may have, in the request itself.

    A picture's address is never fetched: it could be anywhere, also within the house.
    """
    dumped = message.model_dump(mode="json", exclude_unset=True)
    if not model.pictures or not isinstance(message.content, list):
        return dumped
    for part in message.content:
        picture = (part.model_extra or {}).get(PICTURE) if part.type == PICTURE else None
        if part.type == PICTURE and not _is_data(picture):
            raise ContentUnsupported(number, f"{PICTURE} with another address than a data: URL")
    dumped["content"] = [part for part in dumped["content"] if part["type"] != PICTURE]
    return dumped


def _is_data(picture: object) -> bool:
    url = picture.get("url") if isinstance(picture, dict) else None
    return isinstance(url, str) and url.startswith(DATA_URL)


def _messages(request: ChatRequest, read: GenerationRequest, model: LlamaModel) -> list[dict[str, Any]]:
    """As they came for a model that knows tools or pictures, else as text. A control token that a message spells is
    parted, since llama.cpp would read it as one."""
    if request.raw_prompts:
        return [message.model_dump(mode="json", exclude_unset=True) for message in request.messages]
    if not (model.native_tools or model.pictures):
        return [{**message, "content": parted(message["content"], model.control_tokens)} for message in read.messages]
    dumped = [message.model_dump(mode="json", exclude_unset=True) for message in request.messages]
    for message in dumped:
        message["role"] = "system" if message["role"] == "developer" else message["role"]
        content = message.get("content")
        if isinstance(content, str):
            message["content"] = parted(content, model.control_tokens)
        for part in content if isinstance(content, list) else ():
            if part.get("text"):
                part["text"] = parted(part["text"], model.control_tokens)
    return dumped


def parted(text: str, control_tokens: Sequence[str]) -> str:
    """The text with a blank inside of each control token that it spells."""
    for token in control_tokens:
        if token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def _sampling(request: ChatRequest, extra: dict[str, Any], defaults: GenerationDefaults) -> dict[str, Any]:
    given = {
        "temperature": defaults.temperature if request.temperature is None else request.temperature,
        "top_p": defaults.top_p if request.top_p is None else request.top_p,
        "seed": None if request.seed is None else request.seed % SEEDS,
        **{name: extra.get(name) for name in ("frequency_penalty", "presence_penalty", "logit_bias")},
    }
    return {name: value for name, value in given.items() if value is not None}


def _more(more: _More, defaults: GenerationDefaults, *, is_prose: bool) -> dict[str, Any]:
    """In llama.cpp's names. All tokens (`top_k` -1 of vLLM's) are 0 there. The model's own penalty is for prose: JSON
    has to repeat its quotes and commas."""
    top_k = defaults.top_k if more.top_k is None else max(0, more.top_k)
    penalty = defaults.repetition_penalty if is_prose else None
    given = {
        "top_k": top_k,
        "min_p": defaults.min_p if more.min_p is None else more.min_p,
        "repeat_penalty": penalty if more.repetition_penalty is None else more.repetition_penalty,
    }
    return {name: value for name, value in given.items() if value is not None}


def _is_filled(more: _More, most: int, read: GenerationRequest) -> bool:
    """Whether the model writes on after it would end, as benchmarks of servers ask: until `max_tokens` alone."""
    if 0 < more.min_tokens < most and not more.ignore_eos:
        raise Unsupported("min_tokens", "Only as many as `max_tokens` are taken, which is `ignore_eos`")
    filled = more.ignore_eos or more.min_tokens > 0
    if filled and (read.schema is not None or read.tools is not None):
        raise Unsupported("ignore_eos" if more.ignore_eos else "min_tokens", "A form and calls of tools have an end")
    return filled


def _form(extra: dict[str, Any], read: GenerationRequest) -> dict[str, Any]:
    """Tools and the answer's schema, their objects closed: an open one lets a small model add keys without end."""
    form: dict[str, Any] = {}
    if read.schema is not None:
        if read.raw:
            raise Unsupported("response_format", "A text that a model goes on from has no form; use chat completions")
        named = {"name": "answer", "schema": grammar_schema(read.schema)}
        is_any = read.schema == ANY_OBJECT
        form["response_format"] = {"type": "json_object"} if is_any else {"type": "json_schema", "json_schema": named}
    if read.tools is not None:
        form |= {name: extra[name] for name in FIELDS if extra.get(name) is not None}
        form["tools"] = [_closed(tool) for tool in extra["tools"]]
    return form


def _closed(tool: dict[str, Any]) -> dict[str, Any]:
    function = dict(tool["function"])
    if isinstance(function.get("parameters"), dict):
        function["parameters"] = grammar_schema(function["parameters"])
    return {**tool, "function": function}
