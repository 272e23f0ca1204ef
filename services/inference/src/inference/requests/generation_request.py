"""What an engine is asked to do: read from a chat request, refusing what it would ignore."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.models.chat import ChatRequest
from inference.errors import ContextExceeded, ToolsUnsupported, Unsupported
from inference.requests.conversation import render
from inference.schemas.validation import SCHEMA, validator
from inference.tool_calls.calls import FIELDS, Tools, read_tools
from servicekit.core.errors import InvalidRequest

MAX_STOPS = 16
HARMLESS = frozenset(("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"))
"""Fields that change nothing about the answer of a model that knows nothing of them."""
NEUTRAL: dict[str, tuple[object, ...]] = {
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "suffix": ("",),
    "ignore_eos": (False,),
    "repetition_penalty": (1,),
}
"""Values that ask for nothing."""
CHARACTERS_A_TOKEN = 6
"""By which texts are weighed that were not read yet: more than is usual, so that nobody is refused for a guess."""
ANY_OBJECT: dict[str, Any] = {"type": "object"}
PLAIN = "Otherwise answer in plain text."


class Sampling(BaseModel):
    """How tokens are chosen and reported. `temperature` 0 takes the likeliest token each time."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    """None is random."""
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    logit_bias: Annotated[dict[Annotated[int, Field(ge=0)], Annotated[float, Field(ge=-100, le=100)]], Field()] = {}
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = 0


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One request's answers. `schema` is what text must match, `tools` what may be called."""

    messages: tuple[dict[str, str], ...]
    max_tokens: int | None
    choices: int
    stops: tuple[str, ...]
    sampling: Sampling
    schema: dict[str, Any] | None
    tools: Tools | None
    raw: bool = False
    """Whether the one message is a text to go on from, without a chat template."""

    @property
    def tool_instruction(self) -> str:
        """The part of the first message that tells the model of its tools."""
        return self.tools.instruction(PLAIN) if self.tools else ""


def read_generation_request(request: ChatRequest) -> GenerationRequest:
    """The order in a request; raises 400 for what would otherwise be ignored."""
    extra = {name: value for name, value in (request.model_extra or {}).items() if value is not None}
    known = FIELDS | {"response_format"} | Sampling.model_fields.keys()
    for name, value in extra.items():
        if name in known or name in HARMLESS or value in NEUTRAL.get(name, ()):
            continue
        if name in ("functions", "function_call"):
            raise ToolsUnsupported(name, "Use `tools` and `tool_choice`")
        raise Unsupported(name)
    stops = (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
    if len(stops) > MAX_STOPS:
        raise InvalidRequest(f"At most {MAX_STOPS} stop strings are taken.", param="stop")
    tools = read_tools(extra)
    if tools is not None and request.raw_prompts:
        raise Unsupported("tools", "A text that a model goes on from calls none; use chat completions")
    return GenerationRequest(
        messages=render(request.messages, tools.instruction(PLAIN) if tools else None),
        max_tokens=request.max_completion_tokens or request.max_tokens,
        choices=request.n or 1,
        stops=stops,
        sampling=_sampling(request, extra),
        schema=read_schema(extra),
        tools=tools,
        raw=request.raw_prompts,
    )


def read_schema(extra: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON schema that `response_format` asks for; None for free text."""
    shape = extra.get("response_format")
    kind = shape.get("type") if isinstance(shape, dict) else None
    if shape is None or kind == "text":
        return None
    if kind == "json_object":
        return ANY_OBJECT
    if kind != "json_schema":
        raise InvalidRequest(
            "`response_format` must have the type text, json_object or json_schema.", param="response_format"
        )
    named = shape.get("json_schema")
    schema = named.get("schema") if isinstance(named, dict) else None
    if not isinstance(schema, dict):
        raise InvalidRequest("`json_schema` needs a `schema`, which is an object.", param=SCHEMA)
    validator(schema, SCHEMA)
    return schema


def room_for_answer(
    generation_request: GenerationRequest,
    prompt_tokens: int,
    context_length: int,
    usual: int,
    count: Callable[[str], int],
) -> int:
    """How many tokens the answer may have: what was asked for (else `usual`), within the context.

    Raises `ContextExceeded` when the prompt leaves no room; `count` then tells how many tokens of it are the tools'.
    """
    if prompt_tokens >= context_length:
        raise ContextExceeded(
            prompt_tokens, context_length, count(generation_request.tool_instruction) if generation_request.tools else 0
        )
    return min(generation_request.max_tokens or usual, context_length - prompt_tokens)


def reject_unknown_fields(fields: Mapping[str, Any]) -> None:
    """Raise 400 for a field that a model in this process would ignore."""
    for name, value in fields.items():
        if value is not None and name not in HARMLESS and value not in NEUTRAL.get(name, ()):
            raise Unsupported(name)


def _sampling(request: ChatRequest, extra: Mapping[str, Any]) -> Sampling:
    given = {name: value for name, value in extra.items() if name in Sampling.model_fields}
    given |= {name: value for name in ("temperature", "top_p", "seed") if (value := getattr(request, name)) is not None}
    try:
        sampling = Sampling.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InvalidRequest(f"{name}: {first['msg']}.", param=name) from None
    if sampling.top_logprobs and not sampling.logprobs:
        raise InvalidRequest("`top_logprobs` needs `logprobs` to be true.", param="top_logprobs")
    return sampling
