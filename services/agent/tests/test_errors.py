from __future__ import annotations

import inspect

import pytest

from agent import errors
from agent.errors import either, is_policy
from contracts.core.errors import ErrorBody
from contracts.documents.documents import Failure
from servicekit.core.errors import (
    Forbidden,
    PeerError,
    QueueFull,
    RateLimited,
    ServiceError,
    Unauthenticated,
    UpstreamFailed,
)

LONG = "x" * 5000
FAILURE = Failure(code="model_unavailable", message="The model is away.")
ALL: list[tuple[ServiceError, int, str]] = [
    (errors.ModelNotAnswerable(LONG), 404, "model_not_found"),
    (errors.CollectionNotNamed("'A' is no name."), 400, "invalid_collection"),
    (errors.CollectionNotAllowed("secret"), 403, "collection_not_allowed"),
    (errors.DocumentNotSearchable("handbook", LONG), 404, "document_not_found"),
    (errors.QuestionMissing(), 400, "question_missing"),
    (errors.QuestionTooLong(8000), 400, "question_too_long"),
    (errors.OptionNotSupported("logprobs"), 400, "option_not_supported"),
    (errors.OutputFormRefused(LONG), 400, "invalid_schema"),
    (errors.ToolsNotCalled("tool_choice"), 400, "option_not_supported"),
    (errors.ContentNotText(0, LONG), 400, "content_unsupported"),
    (errors.DeadlinePassed(), 504, "deadline_passed"),
    (errors.AgentNotFound(LONG), 404, "agent_not_found"),
    (errors.AgentVersionNotFound("helper", 9, 3), 404, "agent_version_not_found"),
    (errors.AgentVersionReplaced("helper", 1, 3), 403, "agent_version_replaced"),
    (errors.AgentModelMissing(LONG), 404, "model_not_found"),
    (errors.ArgumentsDontFit("pay", ["amount: must be a number"]), 422, "arguments_dont_fit"),
    (errors.AgentNotYours("helper"), 403, "agent_not_yours"),
    (errors.AgentNotAllowed("helper", "a model"), 403, "agent_not_allowed"),
    (errors.ToolScopeMissing("helper", "search_documents", ["search"]), 403, "missing_scope"),
    (errors.AgentUnreadable("helper", 3, LONG), 500, "agent_unreadable"),
    (errors.ThreadNotFound(LONG), 404, "thread_not_found"),
    (errors.RunNotFound(LONG), 404, "run_not_found"),
    (errors.ThreadBusy("run_1"), 409, "thread_busy"),
    (errors.RunNotWaiting("completed"), 409, "run_not_waiting"),
    (errors.DecisionsDontFit("A call is decided on twice."), 400, "decisions_dont_fit"),
    (errors.GrantMissing(), 400, "grant_missing"),
    (errors.DefinitionRefused("It can't be run."), 400, "invalid_agent"),
    (errors.LastEventIdWrong(), 400, "invalid_last_event_id"),
    (errors.RunCancelled(), 409, "run_cancelled"),
    (errors.RunFailed(FAILURE), 502, "model_unavailable"),
    (errors.RunBlocked(FAILURE), 400, "content_blocked"),
    (errors.CompletionCutOff(), 503, "completion_cut_off"),
    (errors.CompletionTooSlow("run_1"), 504, "completion_timeout"),
    (errors.AnswerRestarted(), 502, "step_restarted"),
]


def test_every_error_is_in_the_table() -> None:
    own = {
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, ServiceError) and value.__module__ == errors.__name__
    }
    assert {type(error) for error, *_ in ALL} == own


@pytest.mark.parametrize(("error", "status", "code"), ALL, ids=lambda value: getattr(value, "code", ""))
def test_every_error_has_its_status_and_code_and_sentences_of_some_length(
    error: ServiceError, status: int, code: str
) -> None:
    body = error.body("req_1")
    assert (error.http_status, body.code, body.request_id) == (status, code, "req_1")
    assert body.message.endswith(".")
    assert len(body.message) < 600, "what a caller sent is not given back at length"


def test_what_may_be_tried_again_says_when() -> None:
    assert {error.code for error, *_ in ALL if error.retry_after is not None} == {"thread_busy", "completion_cut_off"}


def test_a_name_that_can_not_be_written_does_not_break_the_error_about_it() -> None:
    assert "no agent '?'" in errors.AgentNotFound("\ud800").body(None).model_dump_json()


def test_scopes_of_which_one_will_do_are_joined_in_words() -> None:
    assert either(["search"]) == "'search'"
    assert either(["documents", "search"]) == "'documents' or 'search'"


@pytest.mark.parametrize(
    ("error", "policy"),
    [
        (Unauthenticated("Who?"), True),
        (RateLimited("Too many."), True),
        (errors.RunBlocked(FAILURE), True),
        (PeerError(429, ErrorBody(type="budget_exceeded", code="budget_exceeded", message="All is spent.")), True),
        (PeerError(403, ErrorBody(type="permission", code="key_revoked", message="It was revoked.")), True),
        (Forbidden("Not yours."), False),
        (QueueFull("The queue is full."), False),
        (UpstreamFailed("It broke."), False),
    ],
)
def test_a_decision_about_the_caller_is_never_hidden_by_falling_back(error: ServiceError, policy: bool) -> None:
    assert is_policy(error) == policy
