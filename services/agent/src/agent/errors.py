"""What can be wrong with a call to the agent service."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.documents.documents import Failure
from servicekit.core.errors import (
    Conflict,
    Forbidden,
    Internal,
    InvalidRequest,
    NotFound,
    NotReady,
    ServiceError,
    Unprocessable,
    UpstreamFailed,
    UpstreamTimeout,
)


class ModelNotAnswerable(NotFound):
    """The model is not one that this service answers for."""

    code = "model_not_found"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"There is no model '{model[:100]}' here. Use 'rag:<collection>' (several: 'rag:a,b') or 'agent:<name>'; "
            "GET /v1/models lists what your key may use.",
            param="model",
        )


class CollectionNotNamed(InvalidRequest):
    """The part after `rag:` is not a list of collection names."""

    code = "invalid_collection"

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} Write the model as 'rag:<collection>' or 'rag:a,b'.", param="model")


class CollectionNotAllowed(Forbidden):
    """The key's list of collections does not have this one."""

    code = "collection_not_allowed"

    def __init__(self, name: str, param: str = "model") -> None:
        super().__init__(f"Your key may not use the collection '{name}'. Ask for a key that may.", param=param)


class DocumentNotSearchable(NotFound):
    """The index has nothing of a document."""

    code = "document_not_found"

    def __init__(self, collection: str, document_id: str) -> None:
        super().__init__(
            f"There is nothing of a document '{document_id[:100]}' in the index of '{collection}'. It may still be on "
            f"its way there: GET /v1/collections/{collection}/documents lists the documents with their ids and status.",
            param="id",
        )


class QuestionMissing(InvalidRequest):
    """No user message, or one without text."""

    code = "question_missing"

    def __init__(self) -> None:
        super().__init__(
            "The conversation must have a message of role 'user' with text; the last one is the question.",
            param="messages",
        )


class QuestionTooLong(InvalidRequest):
    """The question is longer than search takes."""

    code = "question_too_long"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The question is longer than {limit:,} characters. Ask a shorter one.", param="messages")


class OptionNotSupported(InvalidRequest):
    """A field that means something for plain models only."""

    code = "option_not_supported"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'rag:' and 'agent:' models do not take '{name}'. Leave it out, or call a plain model.", param=name
        )


class OutputFormRefused(InvalidRequest):
    """The schema of `response_format` is none, or can't be checked in bounded time."""

    code = "invalid_schema"

    def __init__(self, why: str, param: str = "response_format.json_schema.schema") -> None:
        super().__init__(f"The `response_format` can't be used: {why[:400]}.", param=param)


class ToolsNotCalled(InvalidRequest):
    """The answer would have to be a call of one of the caller's tools."""

    code = "option_not_supported"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'rag:' and 'agent:' models do not call the request's tools, but this '{name}' asks for a call. "
            "Leave it out, set it to 'auto' or 'none' (they then answer without the tools), or call a plain model.",
            param=name,
        )


class ContentNotText(InvalidRequest):
    """A message holds something other than text."""

    code = "content_unsupported"

    def __init__(self, number: int, kind: str) -> None:
        super().__init__(
            f"'rag:' and 'agent:' models read text only; message {number} holds a part of type '{kind[:64]}'. "
            "Leave it out, or call a plain model that reads it.",
            param=f"messages.{number}.content",
        )


class DeadlinePassed(UpstreamTimeout):
    """The whole answer took too long."""

    code = "deadline_passed"

    def __init__(self) -> None:
        super().__init__("The answer took longer than this service allows. Ask again, or lower top_k.")


class AgentNotFound(NotFound):
    """The tenant has no such agent, or no such version of it."""

    code = "agent_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no agent '{name[:100]}'. GET /v1/agents lists yours.", param="agent")


class AgentVersionNotFound(NotFound):
    """The agent has no such version."""

    code = "agent_version_not_found"

    def __init__(self, name: str, version: int, current: int) -> None:
        super().__init__(
            f"The agent '{name}' has no version {version}; its current one is {current}. "
            f"GET /v1/agents/{name}/versions lists them.",
            param="agent_version",
        )


class AgentVersionReplaced(Forbidden):
    """A version that was replaced is not run by keys that could not bring it back."""

    code = "agent_version_replaced"

    def __init__(self, name: str, version: int, current: int) -> None:
        super().__init__(
            f"Version {version} of the agent '{name}' was replaced by version {current}. Send \"agent_version\": "
            '"current", or use a key that may change this agent.',
            param="agent_version",
        )


class AgentModelMissing(NotFound):
    """The model of an agent that runs."""

    code = "model_not_found"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The agent's model '{model[:100]}' is not there, or the key of this run may not use it. Save the agent "
            "with another model (GET /v1/models lists them), or use a key that may.",
            param="model",
        )


class ArgumentsDontFit(Unprocessable):
    """Somebody edited a call so that its tool would refuse it."""

    code = "arguments_dont_fit"

    def __init__(self, tool: str, wrong: Sequence[str]) -> None:
        super().__init__(
            f"The edited arguments do not fit the tool '{tool}': {'; '.join(wrong)}. Nothing was decided; the call's "
            "`parameters` are the schema that they must fit.",
            param="decisions",
        )


class AgentNotYours(Forbidden):
    """The agent was made by another key, and this one may change only its own."""

    code = "agent_not_yours"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The agent '{name}' was made by another key. A key that is limited to some collections or models changes "
            "and deletes only agents that it made itself. Choose another name, or use the key that made it.",
            param="name",
        )


class AgentNotAllowed(Forbidden):
    """The agent needs something that the key may not use."""

    code = "agent_not_allowed"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            f"The agent '{name}' uses {what} that this key may not use. Use a key that may, or another agent.",
            param="agent",
        )


class ToolScopeMissing(Forbidden):
    """A tool of the agent reads what the key's scopes do not allow."""

    code = "missing_scope"

    def __init__(self, name: str, tool: str, scopes: Sequence[str]) -> None:
        super().__init__(
            f"The agent '{name}' has the tool '{tool}', for which a key needs the scope {either(scopes)}. "
            "Ask an admin to give it to this key, or take the tool out of the agent.",
            param="tools",
        )


def either(scopes: Sequence[str]) -> str:
    """Scopes, one of which is needed, in words."""
    return " or ".join(f"'{scope}'" for scope in scopes)


class AgentUnreadable(Internal):
    """A version of an agent that this release can't read: a newer one, or one with other rules, has written it."""

    code = "agent_unreadable"

    def __init__(self, name: str, version: int, why: str) -> None:
        super().__init__(
            f"Version {version} of the agent '{name}' can't be read by this release ({why[:300]}). "
            "Save the agent again, which makes a version, and start another run."
        )


class ThreadNotFound(NotFound):
    """The tenant has no such thread."""

    code = "thread_not_found"

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"There is no thread '{thread_id[:100]}'. POST /v1/threads makes one.", param="thread_id")


class RunNotFound(NotFound):
    """The thread has no such run."""

    code = "run_not_found"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no run '{run_id[:100]}' on this thread.", param="run_id")


class ThreadBusy(Conflict):
    """A run is under way on the thread."""

    code = "thread_busy"

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"The run {run_id} is still under way on this thread. Wait for it or cancel it; runs on other threads "
            "go on at the same time.",
            retry_after=2,
        )


class RunNotWaiting(Conflict):
    """There is nothing to decide on."""

    code = "run_not_waiting"

    def __init__(self, status: str) -> None:
        super().__init__(f"The run is {status}; only a run that is waiting_approval can be resumed.")


class DecisionsDontFit(InvalidRequest):
    """The decisions are not one for each pending call."""

    code = "decisions_dont_fit"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why} Give one decision for each of the run's pending_tool_calls and no other.", param="decisions"
        )


class GrantMissing(InvalidRequest):
    """A run goes on after the call that starts it, for which the gateway sends a grant along."""

    code = "grant_missing"

    def __init__(self) -> None:
        super().__init__("This call starts work that goes on after it and needs a grant. Call through the gateway.")


class DefinitionRefused(InvalidRequest):
    """A definition that can't be run."""

    code = "invalid_agent"

    def __init__(self, why: str, param: str | None = None) -> None:
        super().__init__(why, param=param)


class LastEventIdWrong(InvalidRequest):
    """The header is not an event's id."""

    code = "invalid_last_event_id"

    def __init__(self) -> None:
        super().__init__("Last-Event-ID must be the id of an event of this run: a number.", param="Last-Event-ID")


class RunCancelled(Conflict):
    """Somebody cancelled the run of an `agent:` completion."""

    code = "run_cancelled"

    def __init__(self) -> None:
        super().__init__("The run of this completion was cancelled.")


class RunFailed(UpstreamFailed):
    """The run of an `agent:` completion failed, for the reason that its code and message name."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.code = failure.code


class RunBlocked(ServiceError):
    """The run of an `agent:` completion was ended by a guardrail of its key."""

    status, type, code = 400, "content_blocked", "content_blocked"

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)


class CompletionCutOff(NotReady):
    """The service restarts in the middle of an `agent:` completion."""

    code = "completion_cut_off"

    def __init__(self) -> None:
        super().__init__("The service is restarting. Ask again; runs on threads go on by themselves.", retry_after=2)


class CompletionTooSlow(UpstreamTimeout):
    """The run of a completion takes longer than a completion may."""

    code = "completion_timeout"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"The run {run_id} took longer than a completion may. Start it on a thread and follow it.")


class AnswerRestarted(UpstreamFailed):
    """A step whose words were sent began anew and says something else."""

    code = "step_restarted"

    def __init__(self) -> None:
        super().__init__("The answer was begun anew after parts of it had been sent. Ask again.")


_POLICY = frozenset(("authentication", "rate_limited", "budget_exceeded", "content_blocked"))
"""Types of the model plane's errors that are the caller's to hear; others only end one way of answering."""


def is_policy(error: ServiceError) -> bool:
    """Whether an error is a decision about the caller, which falling back would only hide."""
    return error.body(None).type in _POLICY or error.code == "key_revoked"
