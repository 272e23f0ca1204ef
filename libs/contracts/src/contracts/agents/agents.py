"""Agents: their definitions and the versions of these, and what may be said in one."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from contracts.agents.plain_tools import PlainToolName
from contracts.agents.prompts import PromptReference, Values
from contracts.agents.runs import Grounding
from contracts.agents.schemas import Schema
from contracts.core.base import Count, Line, Name, Reply, Request, Timestamp
from contracts.core.values import Text

MAX_TOOLS = 64
MAX_INSTRUCTIONS_CHARS = 100_000
"""Of a text, or of a prompt with its variables."""
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""What the model calls a tool."""
Host = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,253}(:[0-9]{1,5})?$")]
"""A host that a tool may call, with a port where it is not 80 or 443."""


class SearchDocumentsTool(Request):
    """Finds chunks in some of the key's collections; null means those of the key."""

    type: Literal["search_documents"]
    collections: Annotated[list[Name], Field(min_length=1, max_length=16)] | None = None
    limit: Annotated[int, Field(ge=1, le=20)] = 5


class ReadDocumentTool(Request):
    """Reads a span or a page of a document."""

    type: Literal["read_document"]
    collections: Annotated[list[Name], Field(min_length=1, max_length=16)] | None = None


class PlainTool(Request):
    """A tool without options: arithmetic, the time, a written plan, what was said earlier in the thread."""

    type: PlainToolName


class HttpTool(Request):
    """Calls hosts of a list, and none besides."""

    type: Literal["http_get", "http_post"]
    hosts: Annotated[list[Host], Field(min_length=1, max_length=64)]
    honours_key: bool = False
    """Whether these hosts do a POST once for one `Idempotency-Key`. Then a call that was cut off is made again."""


class McpTools(Request):
    """Tools of an MCP server that the operator configured; null means all of them."""

    type: Literal["mcp"]
    server: Name
    tools: Annotated[list[ToolName], Field(min_length=1, max_length=MAX_TOOLS)] | None = None


ToolChoice = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""`auto`: the model decides. `required`: a run's first step calls a tool; a tool's name: this one. `none`: no tools."""
DOCUMENT_TOOLS = frozenset(("search_documents", "read_document"))
"""Tools that read documents."""
Tool = Annotated[SearchDocumentsTool | ReadDocumentTool | PlainTool | HttpTool | McpTools, Field(discriminator="type")]


def _spelt_out(value: object) -> object:
    """`"calculator"` is short for `{"type": "calculator"}`."""
    return {"type": value} if isinstance(value, str) else value


class AgentLimits(Request):
    """What one run may use; reaching one ends it as `limit_reached`. Null money means no limit of money."""

    steps: Annotated[int, Field(ge=1, le=200)] = 20
    """Calls of the model."""
    tool_calls: Annotated[int, Field(ge=0, le=1000)] = 50
    """Calls that the model asks for, also those that can't be made: of no tool, or with arguments that don't fit."""
    tokens: Annotated[int, Field(ge=1)] = 200_000
    """Tokens read and written by the model, together."""
    cost_usd: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=9)] | None = None
    seconds: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """Time at work, and waiting for a model or service that is away; waiting for an approval or for a first free slot
    is not counted."""


class Approval(Request):
    """What a person decides on."""

    tools: list[ToolName] = Field(default_factory=list)
    """Tools whose calls wait for an approval."""
    unknown_outcomes: bool = False
    """Whether a person, not the model, decides on a call of which nobody knows whether it happened."""


class Memory(Request):
    """How much of a thread's earlier turns the model reads; what is older is summarised and can be searched."""

    max_tokens: Annotated[int, Field(ge=200, le=1_000_000)] = 4000


class PromptInstructions(Request):
    """Instructions that are the system messages of a prompt, as it is when a run begins."""

    prompt: Annotated[Line, StringConstraints(min_length=1, max_length=130)]
    """`name` for the version in production, `name@label` or `name@3`."""
    variables: Values = Field(default_factory=dict)

    @property
    def reference(self) -> PromptReference:
        """Which prompt, and which of its versions."""
        found = PromptReference.of(self.prompt)
        if found is None:
            raise ValueError("names no prompt: write its name, name@label or name@3")
        return found

    @model_validator(mode="after")
    def _names_one(self) -> PromptInstructions:
        _ = self.reference
        return self


def _kind(value: object) -> str:
    return "text" if isinstance(value, str) else "from"


Instructions = Annotated[
    Annotated[Text, StringConstraints(max_length=MAX_INSTRUCTIONS_CHARS), Tag("text")]
    | Annotated[PromptInstructions, Tag("from")],
    Discriminator(_kind),
]
"""A text, or the prompt that it is taken from."""


class AgentDefinition(Request):
    """What an agent is; each change of it is a version, and a run records the one that it used."""

    model: Annotated[Line, StringConstraints(min_length=1, max_length=300)] = "default"
    instructions: Instructions = ""
    tools: Annotated[list[Annotated[Tool, BeforeValidator(_spelt_out)]], Field(max_length=MAX_TOOLS)] = Field(
        default_factory=list
    )
    limits: AgentLimits = AgentLimits()
    approval: Approval = Approval()
    output_schema: Schema | None = None
    """JSON schema that a run's output must fit."""
    memory: Memory = Memory()
    tool_choice: ToolChoice = "auto"
    grounding: Grounding | None = None
    """How an answer of an agent with tools that read documents is checked, as that of a `rag:` model: by default
    `strict` with the packaged model, else `annotate`. Not with an `output_schema`."""
    allow_weak_model: bool = False
    """Whether the agent may run on a model that is too small to choose tools, as the packaged one is."""
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None

    @property
    def reads_documents(self) -> bool:
        """Whether its answers may be made of documents."""
        return self.tool_choice != "none" and any(tool.type in DOCUMENT_TOOLS for tool in self.tools)

    @property
    def only_reads_documents(self) -> bool:
        """Whether all that it can do is to search and read documents, so that its answer can be one from documents."""
        return (
            any(tool.type == "search_documents" for tool in self.tools)
            and all(tool.type in DOCUMENT_TOOLS for tool in self.tools)
            and self.tool_choice in ("auto", "required", "search_documents")
            and self.output_schema is None
            and not self.approval.tools
        )

    @model_validator(mode="after")
    def _one_tool_of_a_kind(self) -> AgentDefinition:
        kinds = [tool.type for tool in self.tools if tool.type != "mcp"]
        twice = {kind for kind in kinds if kinds.count(kind) > 1}
        if twice:
            raise ValueError(f"tools: '{min(twice)}' is there twice; give it once")
        return self


class AgentCreate(AgentDefinition):
    """Body of `POST /v1/agents`: a new agent, or a new version of the one with this name."""

    name: Name

    @model_validator(mode="after")
    def _variables_are_bounded(self) -> AgentCreate:
        given = () if isinstance(self.instructions, str) else self.instructions.variables.values()
        if sum(len(value) for value in given if isinstance(value, str)) > MAX_INSTRUCTIONS_CHARS:
            raise ValueError(
                f"instructions: the variables have more than {MAX_INSTRUCTIONS_CHARS:,} characters together"
            )
        return self


class Agent(AgentDefinition):
    """An agent as it is now, or as a version of it was."""

    model_config = Reply.model_config
    name: str
    version: Count
    current: Count | None = None
    """The version that runs where none is named."""
    previous: Count | None = None
    """The one that did before it."""
    key_id: str | None = None
    """The key that made this agent as it is now; null for one of the operator's files, and for one that was made before
    this was noted."""
    withheld: bool = False
    """Whether its definition is not shown: the key is limited to some collections or models and did not make it.
    Then it holds the defaults."""
    created_at: Timestamp
    """When the first version was made."""
    updated_at: Timestamp
    """When this version was made."""


def definition_of(value: dict[str, Any]) -> AgentDefinition:
    """A stored definition."""
    return AgentDefinition.model_validate(value)
