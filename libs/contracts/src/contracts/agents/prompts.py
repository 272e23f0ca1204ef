"""Prompts: named templates with variables, their versions and labels, and what one is once its variables are filled."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.agents.schemas import Schema
from contracts.core.base import NAME, Count, Line, Name, Reply, Request, Timestamp
from contracts.core.values import Passed, Text

PROMPT = "prompt:"
"""Begins the name of a model that is a prompt: `prompt:greeting`, `prompt:greeting@candidate`, `prompt:greeting@3`."""
PRODUCTION = "production"
"""The label that a prompt means where none is named. The first version has it from the start."""
PACKAGED_PREFIX = "groundwork-"
"""Begins the names of prompts that ship."""
NEWEST = "newest"
"""Stands for the version that was saved last; nothing moves it."""
MAX_PROMPT_CHARS = 200_000
"""Of all texts of one version together."""
MAX_VALUE_CHARS = 200_000
MAX_VARIABLES = 100
MAX_EXAMPLES = 200
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def _not_reserved(label: str) -> str:
    if label == NEWEST:
        raise ValueError(f"'{NEWEST}' always means the version that was saved last; choose another name")
    return label


VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
Label = Annotated[str, StringConstraints(pattern=f"^{_LABEL.pattern}$"), AfterValidator(_not_reserved)]
"""What points at a version, and moves."""
Value = Annotated[
    bool | int | Annotated[float, Field(allow_inf_nan=False)] | Annotated[Text, Field(max_length=MAX_VALUE_CHARS)],
    Field(union_mode="smart"),
]
"""Of a variable. It is put in as it is: what looks like a variable in it stays text."""
_Version = Annotated[int, Field(ge=1, lt=2**31)]
Values = Annotated[dict[str, Value], Field(max_length=2 * MAX_VARIABLES)]


class PromptReference(NamedTuple):
    """A prompt, and which of its versions: by label, by number, or neither for the one in production."""

    name: str
    label: str | None = None
    version: int | None = None

    @classmethod
    def of(cls, model: str) -> PromptReference | None:
        """What a `prompt:` model, or the part of it after the colon, names; None if it names nothing."""
        name, at, which = model.removeprefix(PROMPT).partition("@")
        if not NAME.fullmatch(name):
            return None
        if not at:
            return cls(name)
        if re.fullmatch(r"[1-9][0-9]{0,8}", which):
            return cls(name, version=int(which))
        return cls(name, label=which) if _LABEL.fullmatch(which) else None


class PromptVariable(Request):
    """A variable; without a default it must be given."""

    type: Literal["string", "integer", "number", "boolean"] = "string"
    default: Value | None = None
    description: Annotated[Line, StringConstraints(max_length=500)] = ""

    @model_validator(mode="after")
    def _default_fits(self) -> PromptVariable:
        if self.default is not None and not self.takes(self.default):
            raise ValueError(f"the default must be of the type {self.type}")
        return self

    def takes(self, value: str | float | bool) -> bool:
        """Whether a value has the type."""
        if isinstance(value, bool):
            return self.type == "boolean"
        if isinstance(value, int):
            return self.type in ("integer", "number")
        return self.type == ("number" if isinstance(value, float) else "string")


class PromptMessage(Request):
    """A message in which `{{name}}` stands for a variable, and `\\{{` for two braces."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text


class PromptExample(Request):
    """A question and what is to be answered to it. No variables are put in."""

    input: Annotated[Text, StringConstraints(min_length=1)]
    output: Text


class PromptParameters(Request):
    """What the model is asked with unless the caller says otherwise."""

    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Annotated[list[Text], Field(max_length=16)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] | None = None
    reasoning_effort: Annotated[Line, StringConstraints(max_length=20)] | None = None


class PromptDefinition(Request):
    """What a version of a prompt is."""

    description: Annotated[Line, StringConstraints(max_length=500)] = ""
    model: Annotated[Line, StringConstraints(min_length=1, max_length=300)] = "default"
    """A chat model or a route."""
    messages: Annotated[list[PromptMessage], Field(min_length=1, max_length=64)]
    """The caller's own messages come after these."""
    variables: Annotated[dict[VariableName, PromptVariable], Field(max_length=MAX_VARIABLES)] = Field(
        default_factory=dict
    )
    """One that no message has may be there, so that callers can go on giving what a newer version does without."""
    examples: Annotated[list[PromptExample], Field(max_length=MAX_EXAMPLES)] = Field(default_factory=list)
    """Each a message of the user and one of the assistant, after the first system messages."""
    nearest: Annotated[int, Field(ge=1, le=20)] | None = None
    """How many of the examples are shown: those most like the question, by embedding. Null shows all."""
    parameters: PromptParameters = PromptParameters()
    output_schema: Schema | None = None
    """JSON schema that the answer is to fit."""
    tools: Annotated[list[dict[str, Passed]], Field(max_length=64)] = Field(default_factory=list)
    """Functions as OpenAI has them, which the caller runs."""

    @model_validator(mode="after")
    def _bounded(self) -> PromptDefinition:
        texts = [message.content for message in self.messages]
        texts += [text for example in self.examples for text in (example.input, example.output)]
        if sum(map(len, texts)) + len(repr(self.tools)) > MAX_PROMPT_CHARS:
            raise ValueError(f"messages, examples and tools have more than {MAX_PROMPT_CHARS:,} characters together")
        for number, tool in enumerate(self.tools):
            if tool.get("type") != "function" or not isinstance(tool.get("function"), dict):
                raise ValueError(f'tools.{number}: must be {{"type": "function", "function": {{…}}}}')
        return self


class PromptCreate(PromptDefinition):
    """Body of `POST /v1/prompts`: a new prompt, or a new version of the one with this name."""

    name: Name
    label: Label | None = None
    """A label that then points at this version, whether it is new or was there."""


class LabelMove(Request):
    """Body of `PUT /v1/prompts/{name}/labels/{label}`."""

    version: _Version


class PromptLabel(Reply):
    """A label, the version that it points at, and the one that it pointed at before."""

    label: str
    version: Count
    previous: Count | None = None


class PromptSummary(Reply):
    """A prompt without its texts."""

    name: str
    description: str = ""
    model: str = "default"
    version: Count
    """The one in production."""
    newest: Count
    labels: list[PromptLabel] = Field(default_factory=list)
    variables: dict[str, PromptVariable] = Field(default_factory=dict)
    """Of the version in production."""
    packaged: bool = False
    """Whether the version in production says what ships under this name."""
    key_id: str | None = None
    created_at: Timestamp
    updated_at: Timestamp


class Prompt(PromptDefinition):
    """A version of a prompt."""

    model_config = Reply.model_config
    messages: list[PromptMessage]
    name: str
    version: Count
    newest: Count
    labels: list[PromptLabel] = Field(default_factory=list)
    """All labels of the prompt, also those that point at other versions."""
    key_id: str | None = None
    """The key that made the newest version."""
    withheld: bool = False
    """Whether its texts are not shown: the key is limited to some collections or models and did not make it."""
    packaged: bool = False
    """Whether it says what ships under this name."""
    created_at: Timestamp
    """When the first version was made."""
    updated_at: Timestamp
    """When this version was made."""


class PromptRender(Request):
    """Body of `POST /v1/prompts/{name}/render`: fill a version's variables."""

    label: Annotated[str, StringConstraints(pattern=f"^{_LABEL.pattern}$")] | None = None
    version: _Version | None = None
    variables: Values = Field(default_factory=dict)
    question: Text | None = None
    """What the nearest examples are chosen for; by default the template's last user message."""


class RenderedPrompt(Reply):
    """What a model is asked by a version of a prompt, before the caller's own messages."""

    name: str
    version: Count
    model: str
    messages: list[PromptMessage]
    parameters: PromptParameters = PromptParameters()
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] = Field(default_factory=list)
    degraded: list[str] = Field(default_factory=list)
    """`examples_not_compared`: the first examples stand in for the nearest, since embeddings were not to be had."""
