"""Threads, and the runs of agents on them."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from contracts.agents.kept_answers import check_links, check_size
from contracts.core.base import Count, Name, Reply, Request, Timestamp
from contracts.core.values import check_text, check_value
from contracts.documents.documents import Failure

RunStatus = Literal["queued", "running", "waiting_approval", "completed", "failed", "cancelled", "limit_reached"]
FINAL_RUN_STATUSES: frozenset[RunStatus] = frozenset(("completed", "failed", "cancelled", "limit_reached"))
RunLimit = Literal["steps", "tool_calls", "tokens", "cost_usd", "seconds", "repeated_calls", "invalid_output"]
Grounding = Literal["strict", "annotate", "off"]
AnswerKind = Literal["generated", "extractive", "abstained"]
MAX_INPUT_CHARS = 400_000
MAX_NUMBER = 2**31 - 1
MAX_MESSAGE_CHARS = 100_000
"""Of a message that a client keeps."""
MAX_METADATA_CHARS = 16_000
MOST_SOURCES = 100
"""Passages that a run's record names."""
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""In JSON, where a backslash that is meant itself is two."""


def _text(value: str) -> str:
    check_text(value)
    if "\0" in value:
        raise ValueError("must not contain NUL characters")
    return value


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_INPUT_CHARS), AfterValidator(_text)]
User = Annotated[str, StringConstraints(min_length=1, max_length=512), AfterValidator(_text)]
"""For whom something is asked, by the caller's own name for them, as OpenAI's `user`."""


def _metadata(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    check_value(value)
    if len(repr(value)) > MAX_METADATA_CHARS:
        raise ValueError(f"is longer than {MAX_METADATA_CHARS:,} characters")
    return value


Metadata = Annotated[dict[str, JsonValue], AfterValidator(_metadata)]


class ThreadCreate(Request):
    """Body of `POST /v1/threads`."""

    metadata: Metadata = Field(default_factory=dict)


class ThreadChange(Request):
    """Body of `PATCH /v1/threads/{id}`: fields that take the place of those of the same name; null removes one."""

    metadata: Metadata


def _kept_exactly(value: JsonValue) -> JsonValue:
    check_value(value)
    if _NUL.search(json.dumps(value)):
        raise ValueError("must not contain NUL characters")
    check_links(value)
    return value


class NewMessage(Request):
    """A message that was said outside runs, for instance a question to a `rag:` model or its answer."""

    role: Literal["user", "assistant"]
    content: Annotated[str, StringConstraints(max_length=MAX_MESSAGE_CHARS), AfterValidator(_text)]
    """A question has some; an answer that failed or was stopped at once may have none."""
    annotations: Annotated[list[dict[str, JsonValue]], AfterValidator(_kept_exactly)] | None = None
    """An answer's citations, as the answer had them. With `groundwork` at most 128 KiB of JSON; addresses are http(s)
    or relative."""
    groundwork: Annotated[dict[str, JsonValue], AfterValidator(_kept_exactly)] | None = None
    """An answer's report, as the answer had it."""
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _is_worth_keeping(self) -> NewMessage:
        if self.role == "user" and not self.content.strip():
            raise ValueError("a question must not be empty: give `content`")
        check_size(*(value for value in (self.annotations, self.groundwork) if value is not None))
        return self


class MessagesCreate(Request):
    """Body of `POST /v1/threads/{id}/messages`."""

    messages: Annotated[list[NewMessage], Field(min_length=1, max_length=100)]
    position: Annotated[int, Field(ge=0)] | None = None
    """Where the first of them stands: those that stood there and behind are replaced. The end by default."""
    known: Count | None = None
    """The thread's `revision` that the caller has seen: at another one the call is refused, so that nobody's messages
    are replaced unseen."""


class Thread(Reply):
    """A conversation that lasts."""

    id: str
    metadata: dict[str, Any] = Field(default_factory=dict)
    messages: Count = 0
    """Messages of its ended runs, and those that were added."""
    revision: Count = 0
    """How many messages it was ever given, those that were replaced since included: it only grows, and whenever
    something is said."""
    summarised: Count = 0
    """How many of the oldest are summarised for the model; all stay readable."""
    created_at: Timestamp
    updated_at: Timestamp


class ToolCall(Reply):
    """A call that the model asked for."""

    id: str
    name: str
    arguments: dict[str, Any]


class HistoryMessage(Reply):
    """One message of a thread."""

    position: Count
    run_id: str | None = None
    """The run that it was said in; null for one that was added."""
    role: Literal["user", "assistant", "tool"]
    content: str
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    annotations: list[dict[str, Any]] | None = None
    groundwork: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    created_at: Timestamp


class RunCreate(Request):
    """Body of `POST /v1/threads/{id}/runs`."""

    agent: Name
    input: Text
    user: User | None = None
    """For whom the run is: its record is found, and deleted, by that name."""
    stream: bool = False


class RunReplay(Request):
    """Body of `POST …/runs/{run}/replay`: a new run, on a new thread, from a point of one that has ended."""

    after: Annotated[int, Field(ge=0, le=MAX_NUMBER)]
    """The step after which the new run goes on, as the run's events number them; 0 for its beginning."""
    input: Text | None = None
    """With `after` 0 instead of the run's own input, where it began with one; else said to the model after what stands
    before the point."""
    agent_version: Annotated[int, Field(ge=1, le=MAX_NUMBER)] | Literal["current"] | None = None
    """Of the same agent; by default the version that the run had."""
    user: User | None = None
    """By default the one whom the run was for."""
    stream: bool = False


class ReplayedFrom(Reply):
    """The point that a run was begun from."""

    thread_id: str
    run_id: str
    after: Count


class RunUsage(Reply):
    """What a run's model calls used, those that were cut off, too; `cost_usd` is all that it was charged, its searches
    included. It is null when a price is unknown, never 0. Whole once the run has ended or waits."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    total_tokens: Count = 0
    model_calls: Count = 0
    cost_usd: Decimal | None = None


class PendingToolCall(ToolCall):
    """A call that waits for a person's decision."""

    reason: Literal["approval", "outcome_unknown"] = "approval"
    parameters: dict[str, Any] | None = None
    """JSON schema of its tool's arguments, which an `edit` must fit; null where the tool can't be had any more."""


class RunAnswer(Reply):
    """What documents say of a run's output, where the agent has tools that read them."""

    grounded: bool
    """Whether a source supports each sentence."""
    answer_kind: AnswerKind
    """As of a `rag:` answer: in the model's words, in the documents' own, or that they hold none."""
    annotations: list[dict[str, Any]] = Field(default_factory=list)
    """Its citations, as a message has them; their offsets are those of `output`."""


class Run(Reply):
    """One run of an agent on a thread."""

    id: str
    thread_id: str
    agent: str
    agent_version: Count
    prompt: str | None = None
    """The version of the prompt that its instructions are: `house-style@3`; null where they are the agent's own."""
    status: RunStatus
    user: str | None = None
    """For whom it is, where its caller said so."""
    input: str
    output: str | None = None
    """What it answered; of a run that ended early, by a limit, a cancel or a failure, what it had said so far."""
    answer: RunAnswer | None = None
    """Null where the output was not compared with documents."""
    limit: RunLimit | None = None
    """Which limit ended it."""
    replayed_from: ReplayedFrom | None = None
    """What it took over; its steps, calls, usage and events are its own alone."""
    steps: Count = 0
    tool_calls: Count = 0
    usage: RunUsage = RunUsage()
    pending_tool_calls: list[PendingToolCall] = Field(default_factory=list)
    waiting_on: str | None = None
    error: Failure | None = None
    active_seconds: float = 0.0
    attempts: Count = 0
    created_at: Timestamp
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class RunSource(Reply):
    """A passage that a run's tools found or read. `text` is the characters `start..end` of the document's text of
    `revision`; null where a record has no room for it."""

    collection: str
    document_id: str
    revision: Count
    chunk_id: str
    title: str | None = None
    page: Count | None = None
    text: str | None = None
    start: Count
    end: Count
    score: float | None = None
    """Of a search; null for what was read."""


class EndedRun(Request):
    """Body of the gateway's internal `POST /v1/runs/ended`: a run that is to be recorded, with its grant."""

    grant: str
    run: Run
    sources: list[RunSource] = Field(default_factory=list, max_length=MOST_SOURCES)


class Decision(Request):
    """What a person decided on one pending call."""

    tool_call_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    action: Literal["approve", "edit", "reject"]
    arguments: Annotated[dict[str, JsonValue], AfterValidator(_metadata)] | None = None
    """The arguments to use instead, with `edit`."""
    message: Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_text)] | None = None
    """What the model is told, with `reject`."""

    @model_validator(mode="after")
    def _arguments_go_with_edit(self) -> Decision:
        if (self.action == "edit") != (self.arguments is not None):
            raise ValueError("give `arguments` with the action `edit`, and only then")
        return self


class Resume(Request):
    """Body of `POST …/runs/{run}/resume`: a decision on each pending call."""

    decisions: Annotated[list[Decision], Field(min_length=1, max_length=1000)]


RunEventType = Literal[
    "run.queued",
    "run.started",
    "run.restarted",
    "run.waiting_approval",
    "run.resumed",
    "run.completed",
    "run.failed",
    "run.cancelled",
    "run.limit_reached",
    "step.started",
    "token",
    "tool_call",
    "tool_result",
    "approval",
    "usage",
]
FINAL_RUN_EVENTS = frozenset(("run.completed", "run.failed", "run.cancelled", "run.limit_reached"))


class RunEvent(Reply):
    """One event of a run; `id` counts from 1 without gaps and is the SSE event's id."""

    id: Count
    type: str
    run_id: str
    step: Count | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    created_at: Timestamp


class RunReport(Reply):
    """The response's `groundwork` object of an `agent:` completion."""

    agent: str
    agent_version: Count
    prompt: str | None = None
    """As of the run."""
    answer: RunAnswer | None = None
    """As of the run; the annotations of the message are its own."""
    thread_id: str
    run_id: str
    status: RunStatus
    limit: RunLimit | None = None
    degraded: list[str] = Field(default_factory=list)
    """What of the request was not used: `tools_ignored`."""
    steps: Count = 0
    tool_calls: Count = 0
    usage: RunUsage = RunUsage()
    pending_tool_calls: list[PendingToolCall] = Field(default_factory=list)
    sources: SkipJsonSchema[list[dict[str, Any]] | None] = None
    """`RunSource`s so far, for the answer's record alone: the gateway asks for them, no caller sees them."""
