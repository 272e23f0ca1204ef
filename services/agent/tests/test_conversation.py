"""What a request must have before any work is done."""

from __future__ import annotations

from typing import Any

import pytest

from agent.conversation import MAX_QUESTION, read_conversation
from contracts.chat import ChatRequest
from servicekit.errors import ServiceError

from .conftest import chat_request, delegation


def code_of(request: ChatRequest, collections: tuple[str, ...] | None = None) -> tuple[int, str]:
    with pytest.raises(ServiceError) as caught:
        read_conversation(request, delegation(collections))
    return caught.value.http_status, caught.value.code


def test_collections_question_and_past_are_read() -> None:
    request = chat_request("First?", "Second?", model="rag:a,b,a")
    conversation = read_conversation(request, delegation())
    assert conversation.collections == ("a", "b")
    assert (conversation.question, conversation.earlier) == ("Second?", ("First?",))


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("gpt", 404, "model_not_found"),
        ("agent:x", 404, "model_not_found"),
        ("rag:", 400, "invalid_collection"),
        ("rag:a,,b", 400, "invalid_collection"),
        ("rag:../etc", 400, "invalid_collection"),
        ("rag:" + ",".join(f"c{at}" for at in range(17)), 400, "invalid_collection"),
    ],
)
def test_a_model_that_names_no_collections_is_refused(model: str, status: int, code: str) -> None:
    assert code_of(chat_request("Why?", model=model)) == (status, code)


def test_a_collection_outside_the_keys_list_is_refused() -> None:
    assert code_of(chat_request("Why?", model="rag:mine,theirs"), ("mine",)) == (403, "collection_not_allowed")


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"role": "system", "content": "Be kind."}], "question_missing"),
        ([{"role": "user", "content": " ?! "}], "question_missing"),
        ([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}], "question_missing"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "question_missing"),
        ([{"role": "user", "content": "x" * (MAX_QUESTION + 1)}], "question_too_long"),
    ],
)
def test_a_conversation_without_a_question_is_refused(messages: list[dict[str, Any]], code: str) -> None:
    assert code_of(chat_request("x").model_copy(update=_validated(messages))) == (400, code)


def _validated(messages: list[dict[str, Any]]) -> dict[str, Any]:
    return {"messages": ChatRequest.model_validate({"model": "m", "messages": messages}).messages}


@pytest.mark.parametrize("option", [{"n": 2}, {"tools": [{}]}, {"response_format": {"type": "json_schema"}}])
def test_options_of_plain_models_are_refused_rather_than_ignored(option: dict[str, Any]) -> None:
    assert code_of(chat_request("Why?", **option)) == (400, "option_not_supported")
