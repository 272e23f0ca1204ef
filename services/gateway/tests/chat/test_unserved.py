"""What a chat asks for and nobody can do is left out and named, never refused."""

from __future__ import annotations

from typing import Any

from contracts.models.chat import ChatRequest
from gateway.chat.unserved import unserved, without_unserved

FUNCTION = {"type": "function", "function": {"name": "sky"}}
SEARCH = {"type": "web_search_preview"}


def chat(model: str = "m", **fields: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields})


def left(request: ChatRequest) -> dict[str, Any]:
    return dict(without_unserved(request).model_extra or {})


def test_functions_stay_and_other_types_are_named_once_each() -> None:
    request = chat(tools=[SEARCH, FUNCTION, SEARCH, {"type": "x\r\ny" + "z" * 99}], tool_choice=SEARCH)
    words = unserved(request)
    assert words[0] == "tool_ignored:web_search_preview"
    assert words[1].startswith("tool_ignored:x__yz")
    assert len(words[1]) <= 80
    assert left(request) == {"tools": [FUNCTION], "tool_choice": "auto"}
    assert (request.model_extra or {})["tools"][0] == SEARCH, "the caller's own request is as it was"


def test_without_a_function_nothing_of_tools_is_left() -> None:
    assert left(chat(tools=[SEARCH], tool_choice="required", parallel_tool_calls=False, top_k=1)) == {"top_k": 1}


def test_what_can_be_served_goes_on_as_it_is() -> None:
    fields: dict[str, Any] = {"tools": [FUNCTION, {"name": "no type"}], "tool_choice": "required"}
    assert unserved(chat(**fields)) == []
    assert left(chat(**fields)) == fields
    assert unserved(chat(tools="none of ours to judge")) == []


def test_answers_from_documents_name_all_tools_in_one_word_and_nobody_keeps_answers() -> None:
    assert unserved(chat("rag:a", tools=[FUNCTION, SEARCH], store=True)) == ["tools_ignored", "store_ignored"]
    assert unserved(chat(store=False)) == []
    assert left(chat(store=True)) == {}
