"""Responses as chats and back, without a server."""

from __future__ import annotations

from typing import Any

import pytest
from services.gateway.tests.chat.responses.driver import SKY, chat_of

from servicekit.core.errors import ServiceError


def refusal_of(**body: Any) -> tuple[int, str | None]:
    with pytest.raises(ServiceError) as refused:
        chat_of(**body)
    return refused.value.http_status, refused.value.body(None).param


def test_tools_form_and_limits_have_the_names_of_a_chat() -> None:
    schema = {"type": "json_schema", "name": "it", "schema": {"type": "object"}, "strict": True}
    chat = chat_of(
        tools=[SKY | {"strict": None}],
        tool_choice={"type": "function", "name": "sky"},
        parallel_tool_calls=False,
        text={"format": schema, "verbosity": "medium"},
        reasoning={"effort": "low", "summary": "auto"},
        max_output_tokens=7,
        top_logprobs=2,
        include=["reasoning.encrypted_content"],
        metadata={"a": "b"},
        user="u",
        stream=True,
    )
    function = {name: SKY[name] for name in ("name", "description", "parameters")}
    assert chat["tools"] == [{"type": "function", "function": function}]
    assert chat["tool_choice"] == {"type": "function", "function": {"name": "sky"}}
    named = {name: value for name, value in schema.items() if name != "type"}
    assert chat["response_format"] == {"type": "json_schema", "json_schema": named}
    assert (chat["reasoning_effort"], chat["max_completion_tokens"], chat["user"]) == ("low", 7, "u")
    assert (chat["logprobs"], chat["top_logprobs"], chat["parallel_tool_calls"]) == (True, 2, False)
    assert chat["stream_options"] == {"include_usage": True}
    assert "metadata" not in chat
    assert "verbosity" not in chat


def test_allowed_tools_are_those_that_are_left() -> None:
    other = SKY | {"name": "other"}
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "other"}]}
    chat = chat_of(tools=[SKY, other], tool_choice=allowed)
    assert [tool["function"]["name"] for tool in chat["tools"]] == ["other"]
    assert chat["tool_choice"] == "required"


def test_answers_from_documents_are_not_kept_back_by_hosted_tools_which_they_do_not_use() -> None:
    assert chat_of(model="rag:handbook", tools=[{"type": "web_search"}])["tools"] == [{"type": "web_search"}]


def test_types_that_no_model_is_given_go_along_by_name_so_that_the_chat_can_say_so() -> None:
    chat = chat_of(tools=[SKY, {"type": "web_search", "filters": {}}], tool_choice={"type": "web_search"})
    assert [tool["type"] for tool in chat["tools"]] == ["function", "web_search"]
    assert chat["tool_choice"] == {"type": "web_search"}


def test_a_namespace_is_flattened_and_long_names_stay_apart() -> None:
    inner = [SKY, SKY | {"name": "x" * 60 + "1"}, SKY | {"name": "x" * 60 + "2"}]
    called = {"type": "function_call", "call_id": "c", "name": "sky", "namespace": "far", "arguments": "{}"}
    chosen = {"type": "function", "name": "sky", "namespace": "far"}
    chat = chat_of(
        tools=[{"type": "namespace", "name": "far", "tools": inner}, SKY], tool_choice=chosen, input=[called]
    )
    names = [tool["function"]["name"] for tool in chat["tools"]]
    assert (names[0], names[3]) == ("far__sky", "sky")
    assert len(set(names)) == 4
    assert max(len(name) for name in names) <= 64
    assert chat["tool_choice"]["function"]["name"] == "far__sky"
    assert chat["messages"][-1]["tool_calls"][0]["function"]["name"] == "far__sky"


def test_file_search_of_a_plain_model_is_its_answer_from_the_collections() -> None:
    search = {"type": "file_search", "vector_store_ids": ["a", "b"], "max_num_results": 4}
    chat = chat_of(tools=[search, SKY], groundwork={"grounding": "strict"})
    assert chat["model"] == "rag:a,b"
    assert chat["groundwork"] == {"grounding": "strict", "top_k": 4, "model": "m"}
    assert [tool["type"] for tool in chat["tools"]] == ["function"]
    assert chat_of(tools=[search], tool_choice="none")["model"] == "m"
    assert chat_of(model="rag:c", tools=[search])["model"] == "rag:c"


def test_searches_of_an_earlier_turn_are_left_out() -> None:
    items = [{"type": "file_search_call", "id": "fs_1", "queries": []}, {"role": "user", "content": "Hi"}]
    assert [message["role"] for message in chat_of(input=items)["messages"]] == ["user"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"colour": "red"}, "colour"),
        ({"background": True}, "background"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"truncation": "shortest"}, "truncation"),
        ({"tools": [{"type": "file_search"}]}, "tools.0.vector_store_ids"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["a"], "filters": {"type": "eq"}}]}, "tools.0.filters"),
        ({"tools": [SKY, {"type": "function"}]}, "tools.1.name"),
        ({"tools": [{"type": "namespace", "name": "n"}]}, "tools.0"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": ["x"]}]}, "tools.0.tools.0"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.id"),
        ({"input": [{"type": "computer_call"}]}, "input.0.type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input.0.content.0.file_id",
        ),
        ({"input": [{"role": "robot", "content": "x"}]}, "input.0.role"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input.0.arguments"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
    ],
)
def test_what_can_not_be_done_is_refused_by_its_place(body: dict[str, Any], param: str) -> None:
    assert refusal_of(**body) == (400, param)


def test_what_openai_clients_send_by_habit_is_taken() -> None:
    chat_of(store=False, background=False, truncation="auto", previous_response_id=None, service_tier="auto")
    chat_of(max_tool_calls=3, stream_options={"include_obfuscation": False}, prompt_cache_retention="24h", include=[])
