"""Chat completions in OpenAI's shape, and what Groundwork adds to them for `rag:` models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from contracts.agents.prompts import PROMPT, Values
from contracts.agents.runs import AnswerKind as AnswerKind
from contracts.agents.runs import Grounding as Grounding
from contracts.agents.runs import RunReport
from contracts.core.abstention import Abstain
from contracts.core.base import Count, Reply, Request
from contracts.core.values import Passed, Text, unlike
from contracts.models.citations import Annotation, FieldCitation
from contracts.models.receipts import Receipt
from contracts.retrieval.search import Filter, RerankModel, SearchMode

Style = Literal["short", "detailed"]
Rewrite = Literal["follow_up", "several", "hypothetical"]


class AnswerOptions(Request):
    """The optional request field `groundwork` (the OpenAI client's `extra_body`) of a `rag:` model."""

    filter: Filter | None = None
    top_k: Annotated[int, Field(ge=1, le=50)] = 8
    mode: SearchMode | None = None
    """Null: as the collection says, and of several that differ `hybrid`."""
    rerank: bool | None = None
    rerank_model: RerankModel | None = None
    """The rerank model that orders what was found, such as a tuned one; with it the hits are reranked unless `rerank`
    says otherwise."""
    generation: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """Of one collection, an index that a reindex with `switch: false` has built; null for the one that serves."""
    grounding: Grounding | None = None
    abstain: Abstain | None = None
    """Who decides that the documents hold no answer. Null: as the collection says, else the key, else `reader` with the
    packaged model and `model` with any other."""
    style: Style | None = None
    """How much a model says: one sentence, or all that the sources hold. Extractive answers and the packaged model's
    are what they are; `degraded` then says `style_ignored`."""
    rewrite: Rewrite | None = None
    """What a connected model writes before the search, within `AGENT_REWRITE_SECONDS`: the last question of a
    conversation anew, several queries, or a passage that would answer (HyDE). Off unless asked for: it costs a call of
    the model, and evaluations should say that it helps. The receipt has the `queries`."""
    model: str | None = None
    """The plain model that words the answer; null means the configured default."""
    reader: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """The reading model that judges what was found, such as a tuned one; null means the configured default."""
    include: list[Literal["sources", "receipt"]] = Field(default_factory=list)
    variables: Values | None = None
    """Of the prompt that a `prompt:` model or `prompt` names."""
    prompt: Annotated[str, Field(max_length=200)] | None = None
    """Of a `rag:` model: the prompt whose system messages are the answer's instructions, `name`, `name@label` or
    `name@3`; its model and parameters hold where the caller names none. How sources are quoted and cited stays. Of a
    prompt that ships (`groundwork-answer@candidate`) the version that is asked with in place of the one in production;
    it takes no variables, and where the answer has nothing of it `degraded` says `prompt_ignored`."""


STREAM_END = "[DONE]"
"""The data of the event that ends a stream."""
OTHER_LENGTHS = ("max_new_tokens", "max_output_tokens", "n_predict", "num_predict")
"""What servers also call the longest answer, and obey before `max_tokens`."""
TOOLS_IGNORED = "tools_ignored"
"""Said of an answer from documents or of an agent whose request offered tools: it used none of them."""
TOOL_IGNORED = "tool_ignored:"
"""Before the type of a tool that no plain model can be given, as `web_search`: the call went on without it."""
STORE_IGNORED = "store_ignored"
"""Said where `store: true` is asked: no answer is kept to be fetched later."""
OPTIONS_IGNORED = "options_ignored"
"""Said of an answer by a route some of whose variants answer from documents, where this one does not."""
STYLE_IGNORED = "style_ignored"
"""Said of an answer that no model worded which could have kept to the style that was asked for."""
FORMAT_IGNORED = "format_ignored"
"""Said of an answer that is no JSON, table or list, though the message asks for one: no model worded it."""
CONTEXT_IGNORED = "context_ignored"
"""Said of an answer whose message has context of its own beside the question: it is made from documents alone."""
PROMPT_IGNORED = "prompt_ignored"
"""Said of an answer whose caller named a version of a prompt that ships, and that has nothing of it: no model was asked
by it (none was, or by another of these prompts), or what it wrote is not sent."""
NO_END = 2**31 - 1
"""The length of an answer that is to have no end."""
OTHER_COUNTS = ("best_of",)
"""What servers also call a number of answers to be made."""
_PartName = Annotated[str, unlike("type", "text")]
_MessageName = Annotated[str, unlike("role", "content")]
_OptionName = Annotated[str, unlike("include_usage")]
_FIELDS = (
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p",
    "stop", "seed", "n", "groundwork", "raw_prompts",
)  # fmt: skip
_RequestName = Annotated[str, unlike(*_FIELDS, *OTHER_LENGTHS, *OTHER_COUNTS)]


class TextPart(BaseModel):
    """One part of a message's content; parts of other types are passed to plain models as they are."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[_PartName, Passed]
    type: str
    text: Text | None = None


class Message(BaseModel):
    """One message. Fields beyond these (names, tool calls) pass through to plain models."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[_MessageName, Passed]
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[TextPart] | None = None

    def plain_text(self) -> str:
        """The text of the message, its parts joined by newlines; empty when it has none."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class StreamOptions(BaseModel):
    """OpenAI's `stream_options`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[_OptionName, Passed]
    include_usage: bool = False


class ChatRequest(BaseModel):
    """Body of `POST /v1/chat/completions`. Unknown fields are kept: they belong to the upstream model."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[_RequestName, Passed]
    model: Annotated[str, Field(min_length=1, max_length=1100)]
    messages: Annotated[list[Message], Field(max_length=2048)]
    """One at least; with a `prompt:` model, which has messages of its own, there may be none."""
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    stop: Text | list[Text] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    n: Annotated[int, Field(ge=1, le=16)] | None = None
    groundwork: AnswerOptions | None = None
    raw_prompts: SkipJsonSchema[bool] = False
    """Whether each message is a text of its own to go on from, without a chat template. Between services only: this is
    how `/v1/completions` passes limits, guardrails, cache and fallbacks. Answers to the second message follow those to
    the first, with the next indices; fields that only completions have (`echo`, a number of `logprobs`) keep their
    meaning, and `logprobs` of the answers have the form that completions have."""

    @field_validator("messages")
    @classmethod
    def _not_empty(cls, messages: list[Message], info: ValidationInfo) -> list[Message]:
        if not messages and not str(info.data.get("model", "")).startswith(PROMPT):
            raise ValueError("must hold one message at least")
        return messages

    def question(self) -> str:
        """The text of the last user message; empty when there is none. What tools and models said after it is no
        question."""
        return next((message.plain_text() for message in reversed(self.messages) if message.role == "user"), "")

    def offers_tools(self) -> bool:
        """Whether the caller has tools of its own, which front ends send in every chat."""
        return any((self.model_extra or {}).get(name) for name in ("tools", "functions"))

    def longest(self) -> int | None:
        """Tokens that one answer may have, by whichever of its names for that allows most; None if none bounds it."""
        named = [self.max_tokens, self.max_completion_tokens]
        if self.model_extra:
            named += [_whole(self.model_extra.get(name)) for name in OTHER_LENGTHS]
        return max((length for length in named if length is not None), default=None)

    def answers(self) -> int:
        """How many answers are made."""
        others = (_whole((self.model_extra or {}).get(name)) for name in OTHER_COUNTS)
        return max(self.n or 1, *(count or 1 for count in others)) * (len(self.messages) if self.raw_prompts else 1)


def _whole(value: Any) -> int | None:
    """The number of tokens or answers in a field that we do not know, however a lenient server would read it; a
    negative length is one without end, and so is one beyond all numbers."""
    try:
        number = int(float(value)) if isinstance(value, int | float | str) else None
    except ValueError:
        return None
    except OverflowError:
        return NO_END
    return NO_END if number is not None and number < 0 else number


class ChatUsage(Reply):
    """OpenAI's `usage`."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    total_tokens: Count = 0


class Source(Reply):
    """One numbered source that the answer could draw on."""

    number: Count
    collection: str
    document_id: str
    revision: Count
    chunk_id: str
    title: str
    source: str
    page: Count | None = None
    text: str
    start: Count
    end: Count
    score: float


class ClosestDocument(Reply):
    """A document that has to do with a question which it does not answer."""

    collection: str
    document_id: str
    title: str


class AnswerReport(Reply):
    """The response's `groundwork` object."""

    grounded: bool
    abstained: bool
    answer_kind: AnswerKind
    collections: list[str]
    abstain: Abstain | None = None
    """Who decided whether there is an answer; null where no question was judged, as with a greeting."""
    degraded: list[str] = Field(default_factory=list)
    """What the answer had to do without, as in the receipt; `tools_ignored`: of the request."""
    closest: list[ClosestDocument] | None = None
    """Of an abstention: at most three documents that come closest, none of which holds the answer."""
    fields: dict[str, list[FieldCitation]] | None = None
    """Of an answer to a `response_format`: for the JSON pointer of each value what supports it; an empty list where
    nothing does: there `strict` (the default of these answers) has null, `annotate` what the model wrote."""
    sources: list[Source] | None = None
    receipt: Receipt | None = None


class AssistantMessage(Reply):
    """The answer, or (in a stream's `delta`) a piece of it."""

    role: Literal["assistant"] | None = "assistant"
    content: str | None = None
    annotations: list[Annotation] | None = None
    tool_calls: list[dict[str, Any]] | None = None


class Choice(Reply):
    """One choice of a whole answer."""

    index: Count = 0
    message: AssistantMessage
    finish_reason: str | None = "stop"
    logprobs: dict[str, Any] | None = None


class ChatCompletion(Reply):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: Count
    model: str
    choices: list[Choice]
    usage: ChatUsage | None = None
    groundwork: AnswerReport | RunReport | None = None


class ChunkChoice(Reply):
    """One choice of a stream's chunk."""

    index: Count = 0
    delta: AssistantMessage
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class ChatCompletionChunk(Reply):
    """One `data:` line of a stream. The last one before `[DONE]` may have no choices and only `usage`."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: Count
    model: str
    choices: list[ChunkChoice]
    usage: ChatUsage | None = None
    groundwork: AnswerReport | RunReport | None = None


class SummaryRequest(Request):
    """How a document is to be summed up; `{}` leaves all to the service."""

    sentences: Annotated[int, Field(ge=1, le=12)] | None = None
    """How many sentences; without it three to six, by the document's length."""
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """A chat model that words it, for keys with the scope `chat`; without it, and where the model says nothing that the
    document supports, these are the document's own sentences."""


class DocumentSummary(Reply):
    """A document in short. `annotations` cite where in it each sentence stands."""

    collection: str
    document_id: str
    revision: Count
    """The revision that was read."""
    title: str
    content: str
    """One sentence a line, each with its marker."""
    annotations: list[Annotation]
    answer_kind: AnswerKind = "extractive"
    """`generated` in a model's words, `extractive` in the document's own."""
    chunks: Count
    """How many chunks were read: the first ones of a very long document."""
    degraded: list[str] = Field(default_factory=list)
    """What it had to do without."""
    model: str | None = None
    """The model that worded it."""
    usage: ChatUsage
