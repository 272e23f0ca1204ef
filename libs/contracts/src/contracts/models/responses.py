"""OpenAI's Responses on the wire, as far as one can be answered without keeping anything."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from contracts.agents.prompts import PROMPT, Values
from contracts.agents.runs import RunReport
from contracts.core.base import Count, Reply
from contracts.core.values import Passed, Text
from contracts.models.chat import AnswerOptions, AnswerReport

MAX_ITEMS = 2048
ResponseStatus = Literal["in_progress", "completed", "incomplete", "failed"]


class TextOptions(BaseModel):
    """`text`: the form of the answer."""

    model_config = ConfigDict(extra="forbid")
    format: dict[str, Passed] | None = None
    """`{"type": "text" | "json_object"}`, or `json_schema` with `name`, `schema` and `strict`."""
    verbosity: str | None = None


class ReasoningOptions(BaseModel):
    """`reasoning`: how much of it. There are no summaries, so that asking for one changes nothing."""

    model_config = ConfigDict(extra="forbid")
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None


class PromptUse(BaseModel):
    """`prompt`: a template, one of its versions, and its variables."""

    model_config = ConfigDict(extra="forbid")
    id: Annotated[str, Field(min_length=1, max_length=200)]
    """Its name."""
    version: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """A number or a label; left out, the version in production."""
    variables: Values | None = None


def model_of(prompt: dict[str, Any]) -> str:
    """The name of the model that a prompt is."""
    version = prompt.get("version")
    return f"{PROMPT}{prompt.get('id', '')}" + (f"@{version}" if version is not None else "")


class ResponseRequest(BaseModel):
    """Body of `POST /v1/responses`. Nothing is kept: the whole conversation is in `input`. A field that is not named
    here is refused (400) by its name.
    """

    model_config = ConfigDict(extra="allow")
    model: Annotated[str, Field(min_length=1, max_length=1100)]
    input: Text | Annotated[list[dict[str, Passed]], Field(max_length=MAX_ITEMS)] = Field(
        default_factory=list, validate_default=True
    )
    """A text, or items: messages, `function_call`, `function_call_output`; `reasoning` items are left out.
    There may be none only with a prompt."""
    instructions: Text | None = None
    tools: Annotated[list[dict[str, Passed]], Field(max_length=1000)] | None = None
    """Functions, also in a `namespace`, and `file_search` with the names of collections as `vector_store_ids`, which
    makes of a plain model an answer from them. Other types are left out and named in `degraded`."""
    tool_choice: str | dict[str, Passed] | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    max_output_tokens: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    stream: bool | None = None
    stream_options: dict[str, Passed] | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    client_metadata: dict[str, Passed] | None = None
    service_tier: str | None = None
    store: bool | None = None
    """Nothing is kept: `true` is answered all the same, with `store_ignored` in `degraded`, as in chats."""
    background: bool | None = None
    truncation: str | None = None
    """`auto` or `disabled`; a conversation that is too long for its model is refused (400) either way."""
    max_tool_calls: Count | None = None
    """Of tools that run here; there are none."""
    previous_response_id: str | None = None
    conversation: str | dict[str, Passed] | None = None
    prompt: PromptUse | None = None
    """A prompt that is asked instead of a model; then there is no `model`."""
    context_management: list[dict[str, Passed]] | None = None
    groundwork: AnswerOptions | None = None
    """As in chat completions, for `rag:` models."""

    @model_validator(mode="before")
    @classmethod
    def _prompt_is_the_model(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("model") is not None or not isinstance(value.get("prompt"), dict):
            return value
        return {**value, "model": model_of(value["prompt"])}

    @field_validator("input")
    @classmethod
    def _not_empty(cls, items: Any, info: ValidationInfo) -> Any:
        if items == [] and not str(info.data.get("model", "")).startswith(PROMPT):
            raise ValueError("must hold one item at least")
        return items

    @model_validator(mode="after")
    def _one_of_the_two(self) -> ResponseRequest:
        if self.prompt is not None and not self.model.startswith(PROMPT):
            raise ValueError("give a 'model' or a 'prompt', not both: the prompt says which model is asked")
        return self


class ResponseUsage(Reply):
    """Tokens of an answer."""

    input_tokens: Count
    input_tokens_details: dict[str, Count]
    """`cached_tokens`."""
    output_tokens: Count
    output_tokens_details: dict[str, Count]
    """`reasoning_tokens`."""
    total_tokens: Count


class CallReport(Reply):
    """What a plain model's answer had to do without."""

    degraded: list[str]


class Response(Reply):
    """An answer, and in a stream's first and last events how far it is."""

    id: str
    object: Literal["response"] = "response"
    created_at: Count
    status: ResponseStatus
    model: str
    output: list[dict[str, Any]]
    """Items: `message` with its text and citations (`file_citation`), `function_call`, `reasoning`."""
    error: dict[str, Any] | None = None
    incomplete_details: dict[str, Any] | None = None
    instructions: str | None = None
    max_output_tokens: Count | None = None
    max_tool_calls: Count | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    parallel_tool_calls: bool = True
    previous_response_id: None = None
    reasoning: dict[str, Any] = Field(default_factory=lambda: {"effort": None, "summary": None})
    background: bool = False
    service_tier: str | None = None
    store: bool = False
    temperature: float | None = None
    text: dict[str, Any] = Field(default_factory=lambda: {"format": {"type": "text"}})
    tool_choice: Any = "auto"
    tools: list[dict[str, Any]] = Field(default_factory=list)
    top_logprobs: Count = 0
    top_p: float | None = None
    truncation: str = "disabled"
    usage: ResponseUsage | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    groundwork: AnswerReport | RunReport | CallReport | None = None


class ResponseEvent(Reply):
    """One event of a stream; its other fields are those that OpenAI names for its type."""

    type: str
    sequence_number: Count
