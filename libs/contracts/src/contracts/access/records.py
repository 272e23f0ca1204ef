"""Records of answers: what was asked, what was answered, and where that came from. Opt-in by key or tenant."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.core.base import Count, Reply, Timestamp

RecordMode = Literal["off", "metadata", "full"]
"""`metadata` has no words of questions, answers and documents; `full` has all of it, masked by the key's guardrails."""
RecordDays = Annotated[int, Field(ge=1, le=3650)]
RECORD_DAYS = 30
"""How long a record is kept where neither key nor tenant says."""
RECORD_HEADER = "X-Groundwork-Record"
"""`no`: this call leaves no record."""


class RecordedHit(Reply):
    """A passage that an answer could draw on."""

    number: Count | None = None
    collection: str
    document_id: str
    revision: Count
    chunk_id: str
    title: str | None = None
    page: Count | None = None
    text: str | None = None
    start: Count | None = None
    end: Count | None = None
    score: float | None = None
    cited: bool = False


class RecordedError(Reply):
    """Why there is no whole answer."""

    code: str
    message: str


class RecordSummary(Reply):
    """One answer, as a list shows it."""

    id: str
    """Of the answer: `chatcmpl_…`, `cmpl_…`, `resp_…`; of a call without one, that of the call."""
    at: Timestamp
    mode: RecordMode
    key_id: str
    user: str | None = None
    """OpenAI's `user` (or `safety_identifier`), masked like all else."""
    model: str
    """As it was asked for."""
    answered_by: str | None = None
    """The plain model that worded it, where one did."""
    collections: list[str] = Field(default_factory=list)
    variant: str | None = None
    prompt: str | None = None
    """The version of the prompt that the model got."""
    question: str | None = None
    """Of a list, the beginning; so is `answer`."""
    answer: str | None = None
    abstained: bool = False
    error_type: str | None = None
    """As of usage; `client_disconnected` where the caller left before the end."""
    status: int
    rating: int | None = None
    """What people said of it: ups less downs; null where nobody did."""
    cache: Literal["hit", "miss", "bypass"] = "bypass"
    streamed: bool = False
    ms: Count


class AnswerRecord(RecordSummary):
    """One answer, with all that is known of it."""

    request_id: str
    call_id: str
    """Of its row in the usage ledger."""
    expires_at: Timestamp
    model_digest: str | None = None
    adapter: str | None = None
    prompt_messages: list[dict[str, Any]] | None = None
    """What the version of a prompt put before `messages`: its own messages with their variables, and its examples. Null
    where no prompt did, and for keys that see no texts of prompts."""
    messages: list[dict[str, Any]] | None = None
    """What the caller sent."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """What else the request said: temperature, tools, options of `groundwork`."""
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    annotations: list[dict[str, Any]] | None = None
    finish_reason: str | None = None
    hits: list[RecordedHit] = Field(default_factory=list)
    report: dict[str, Any] | None = None
    """The answer's `groundwork` object, without receipt and sources."""
    receipt: dict[str, Any] | None = None
    error: RecordedError | None = None
    truncated: bool = False
    """Whether it was larger than a record may be; texts then end early."""


class RecordsDeleted(Reply):
    """How many records went."""

    deleted: Count
