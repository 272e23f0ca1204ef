"""What a request must have before any work is done."""

from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.conftest import chat_request, delegation

from agent.questions.conversation import MAX_QUESTION, read_conversation, refuse_output_forms, refuse_plain_options
from contracts.models.chat import ChatRequest
from servicekit.core.errors import ServiceError


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
        ([{"role": "assistant", "content": "Hello"}, {"role": "tool", "content": "Sunny"}], "question_missing"),
        ([{"role": "user", "content": "Why?"}, {"role": "user", "content": " "}], "question_missing"),
        ([{"role": "user", "content": "x" * (MAX_QUESTION + 1)}], "question_too_long"),
    ],
)
def test_a_conversation_without_a_question_is_refused(messages: list[dict[str, Any]], code: str) -> None:
    assert code_of(chat_request("x").model_copy(update=_validated(messages))) == (400, code)


def _validated(messages: list[dict[str, Any]]) -> dict[str, Any]:
    return {"messages": ChatRequest.model_validate({"model": "m", "messages": messages}).messages}


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    "option",
    [
        {"n": 2},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "alloy"}},
        {"logprobs": True},
        {"tools": [TOOL], "tool_choice": "required"},
        {"tools": [TOOL], "tool_choice": NAMED},
        {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}},
        {"functions": [TOOL["function"]], "function_call": {"name": "weather"}},
    ],
)
def test_options_of_plain_models_are_refused_rather_than_ignored(option: dict[str, Any]) -> None:
    assert code_of(chat_request("Why?", **option)) == (400, "option_not_supported")


@pytest.mark.parametrize(
    "option",
    [
        {"tools": [TOOL]},
        {"tools": [TOOL], "tool_choice": "auto"},
        {"tools": [TOOL], "tool_choice": "none"},
        {
            "tools": [TOOL],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}},
        },
        {"functions": [TOOL["function"]], "function_call": "auto"},
        {"tools": [], "modalities": ["text"], "parallel_tool_calls": True, "response_format": {"type": "text"}},
    ],
)
def test_a_client_that_offers_tools_or_sends_harmless_options_is_answered(option: dict[str, Any]) -> None:
    assert read_conversation(chat_request("Why?", **option), delegation()).question == "Why?"


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("user", "input_audio"),
        ("user", "file"),
        *((role, kind) for role in ("system", "assistant") for kind in ("image_url", "input_audio", "file")),
    ],
)
def test_what_is_no_text_is_refused_rather_than_dropped(role: str, kind: str) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": kind, kind: {"url": "data:image/png;base64,AA=="}}]
    messages = [{"role": role, "content": parts}, {"role": "user", "content": "Why?"}]
    request = chat_request("x").model_copy(update=_validated(messages))
    assert code_of(request) == (400, "content_unsupported")
    with pytest.raises(ServiceError, match=f"read text only; message 0 holds a part of type '{kind}'"):
        read_conversation(request, delegation())


def test_pictures_of_the_user_are_kept_for_a_model_that_reads_them() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "This one."}, picture]},
        {"role": "user", "content": [picture, {"type": "text", "text": "Or this?"}]},
    ]
    request = chat_request("x").model_copy(update=_validated(messages))
    conversation = read_conversation(request, delegation())
    assert [image.message for image in conversation.images] == [0, 1]
    assert conversation.question == "Or this?"
    with pytest.raises(ServiceError, match="read text only; message 0 holds a part of type 'image_url'"):
        refuse_plain_options(request)


@pytest.mark.parametrize("after", ["tool", "assistant"])
def test_the_last_user_message_is_the_question_whatever_was_said_after_it(after: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "hand_over", "arguments": "{}"}}
    said: list[dict[str, Any]] = [
        {"role": "user", "content": "First?"},
        {"role": "user", "content": "Second?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": after, "tool_call_id": "c", "content": "Transferred to the librarian."},
    ]
    conversation = read_conversation(chat_request("x").model_copy(update=_validated(said)), delegation())
    assert (conversation.question, conversation.earlier) == ("Second?", ("First?",))


def test_an_agent_takes_no_schema_but_its_own() -> None:
    with pytest.raises(ServiceError, match="'response_format'"):
        refuse_output_forms(chat_request("Why?", response_format={"type": "json_schema"}))
    refuse_output_forms(chat_request("Why?", response_format={"type": "text"}))


def test_how_to_answer_is_read_apart_from_the_question_of_each_turn() -> None:
    request = chat_request("Question: First?\nAnswer:", "Second? Reply in German.", model="rag:a")
    conversation = read_conversation(request, delegation())
    assert (conversation.question, conversation.earlier) == ("Second?", ("First?",))
    assert (conversation.manner.text, conversation.manner.language) == ("Reply in German.", "German")
    assert request.question() == "Second? Reply in German.", "the message stays as it was sent"


def test_a_message_that_only_says_how_to_answer_asks_the_question_before_again() -> None:
    conversation = read_conversation(chat_request("First?", "Second?", "In German, please."), delegation())
    assert (conversation.question, conversation.earlier) == ("Second?", ("First?",))
    assert conversation.manner.language == "German"


def test_passages_pasted_beside_a_question_do_not_count_as_its_length() -> None:
    pasted = "The ferry leaves at noon. " * 1_000
    conversation = read_conversation(chat_request(f"Context:\n{pasted}\n\nQuestion: Why?\nAnswer:"), delegation())
    assert (conversation.question, conversation.context_pasted) == ("Why?", True)
