"""Responses as chats and back, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.responses import Response
from gateway.chat.responses.translation import Responses
from servicekit.core.errors import ServiceError

SKY: dict[str, Any] = {"type": "function", "name": "sky", "description": "d", "parameters": {"type": "object"}}
KEPT_IMAGE = {"type": "input_image", "file_id": "f"}


def chat_of(**body: Any) -> dict[str, Any]:
    request = Responses().question(json.dumps({"model": "m", "input": "Hi", **body}).encode())
    return request.model_dump(mode="json", exclude_unset=True)


def refusal_of(**body: Any) -> tuple[int, str | None]:
    with pytest.raises(ServiceError) as refused:
        chat_of(**body)
    return refused.value.http_status, refused.value.body(None).param


def test_a_text_and_instructions_are_a_message_each() -> None:
    assert chat_of(instructions="Be short.")["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Hi"},
    ]


def test_items_of_a_conversation_with_tools_become_messages_without_its_reasoning() -> None:
    items = [
        {"role": "developer", "content": "Be kind."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Sky?"}], "id": "msg_1"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Wait.", "annotations": []}],
        },
        {
            "type": "function_call",
            "call_id": "c1",
            "name": "sky",
            "arguments": "{}",
            "id": "fc_1",
            "status": "completed",
        },
        {"type": "function_call", "call_id": "c2", "name": "sky", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "blue"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "grey"}]},
    ]
    function = {"name": "sky", "arguments": "{}"}
    assert chat_of(input=items)["messages"] == [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "Sky?"},
        {
            "role": "assistant",
            "content": "Wait.",
            "tool_calls": [{"id": number, "type": "function", "function": function} for number in ("c1", "c2")],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "blue"},
        {"role": "tool", "tool_call_id": "c2", "content": "grey"},
    ]


def test_pictures_and_files_come_with_their_data() -> None:
    parts = [
        {"type": "input_text", "text": "See:"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
    ]
    (message,) = chat_of(input=[{"role": "user", "content": parts}])["messages"]
    assert message["content"] == [
        {"type": "text", "text": "See:"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
    ]


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


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"colour": "red"}, "colour"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"truncation": "auto"}, "truncation"),
        ({"tools": [{"type": "file_search"}]}, "tools.0.type"),
        ({"tools": [SKY, {"type": "custom", "name": "x"}]}, "tools.1.type"),
        ({"tools": [SKY], "tool_choice": {"type": "web_search"}}, "tool_choice.type"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.id"),
        ({"input": [{"type": "web_search_call"}]}, "input.0.type"),
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
    chat_of(store=False, background=False, truncation="disabled", previous_response_id=None, service_tier="auto")
    chat_of(max_tool_calls=3, stream_options={"include_obfuscation": False}, prompt_cache_retention="24h", include=[])


def whole(answer: dict[str, Any], **body: Any) -> dict[str, Any]:
    translation = Responses()
    translation.question(json.dumps({"model": "m", "input": "Hi", **body}).encode())
    told: dict[str, Any] = json.loads(translation.whole(json.dumps(answer).encode()))
    return told


def events(*chunks: dict[str, Any] | str, **body: Any) -> list[dict[str, Any]]:
    translation = Responses()
    translation.question(json.dumps({"model": "m", "input": "Hi", "stream": True, **body}).encode())
    lines = [f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n" for chunk in chunks]
    told = b"".join(translation.frame(line.encode()) for line in lines).decode()
    blocks = [block.split("\n") for block in told.split("\n\n") if block]
    parsed = [json.loads(block[1].removeprefix("data: ")) for block in blocks]
    assert [block[0] for block in blocks] == [f"event: {event['type']}" for event in parsed]
    assert [event["sequence_number"] for event in parsed] == list(range(len(parsed)))
    return parsed


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "chatcmpl_7", "created": 5, "model": "m1", "choices": [{"delta": delta, "finish_reason": finish}]}


USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "prompt_tokens_details": {"cached_tokens": 2}}
SAID = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
CITED = {
    "type": "url_citation",
    "url_citation": {"url": "https://e.org/a", "title": "A", "start_index": 3, "end_index": 6},
    "index": 3,
    "marker": "[1]",
    "document_id": "d1",
    "source": "a.md",
    "quote": "yes",
}


def test_a_streamed_answer_has_openais_events_in_their_order() -> None:
    told = events(
        chunk(role="assistant", content=""),
        chunk(content="Yes"),
        chunk(content="[1]", annotations=[CITED]),
        chunk("stop"),
        {"choices": [], "usage": USAGE},
        "[DONE]",
    )
    assert [event["type"].removeprefix("response.") for event in told] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert told[0]["response"]["status"] == told[2]["item"]["status"] == "in_progress"
    assert told[0]["response"]["output"] == []
    response = Response.model_validate(told[-1]["response"])
    assert (response.id, response.created_at, response.model, response.status) == ("resp_7", 5, "m1", "completed")
    assert response.usage is not None
    assert response.usage.model_dump(include=SAID.keys()) == SAID
    assert response.usage.input_tokens_details == {"cached_tokens": 2}
    (message,) = response.output
    assert message["content"] == [told[8]["part"]]
    assert told[7]["text"] == "Yes[1]"
    cited = {"type": "file_citation", "file_id": "d1", "filename": "a.md", "index": 3, "url": "https://e.org/a"}
    assert message["content"][0]["annotations"] == [
        {**cited, "marker": "[1]", "document_id": "d1", "source": "a.md", "quote": "yes"}
    ]


def test_reasoning_text_and_calls_are_items_of_their_own_in_turn() -> None:
    calls = [
        {"index": number, "id": f"c{number}", "function": {"name": "sky", "arguments": '{"a":'}} for number in range(2)
    ]
    rest = [{"index": number, "function": {"arguments": "1}"}} for number in range(2)]
    told = events(
        chunk(reasoning_content="Hm."),
        chunk(content="Wait."),
        chunk(tool_calls=[calls[0]]),
        chunk(tool_calls=[rest[0]]),
        chunk(tool_calls=[calls[1]]),
        chunk("tool_calls", tool_calls=[rest[1]]),
        "[DONE]",
    )
    output = told[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call", "function_call"]
    assert output[0]["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert [(item["call_id"], item["arguments"]) for item in output[2:]] == [("c0", '{"a":1}'), ("c1", '{"a":1}')]
    assert {item["status"] for item in output} == {"completed"}
    places = [event["output_index"] for event in told if "output_index" in event]
    assert places == sorted(places)
    done = [event for event in told if event["type"] == "response.function_call_arguments.done"]
    assert [event["arguments"] for event in done] == ['{"a":1}', '{"a":1}']


def test_a_whole_answer_says_the_same_as_the_last_event() -> None:
    message = {"role": "assistant", "content": "Yes[1]", "annotations": [CITED]}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    told = whole({"id": "chatcmpl_7", "created": 5, "model": "m1", "choices": choices, "usage": USAGE})
    streamed = events(
        chunk(content="Yes[1]", annotations=[CITED]), chunk("stop"), {"choices": [], "usage": USAGE}, "[DONE]"
    )[-1]["response"]
    for answer in (told, streamed):
        answer["output"][0].pop("id")
    assert told == streamed


def test_an_answer_that_was_cut_is_incomplete_and_says_why() -> None:
    told = events(chunk(content="Ye"), chunk("length"), "[DONE]")[-1]
    assert told["type"] == "response.incomplete"
    assert told["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert told["response"]["output"][0]["status"] == "incomplete"


def test_what_was_asked_for_is_repeated_and_nothing_is_kept() -> None:
    told = whole(
        {"id": "c", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]},
        instructions="Be short.",
        metadata={"a": "b"},
        temperature=0.5,
        tools=[SKY],
    )
    assert (told["store"], told["background"], told["previous_response_id"]) == (False, False, None)
    assert (told["instructions"], told["metadata"], told["temperature"]) == ("Be short.", {"a": "b"}, 0.5)
    assert (told["tools"], told["tool_choice"], told["text"]) == ([SKY], "auto", {"format": {"type": "text"}})


def test_an_error_in_the_stream_fails_the_response_and_ends_it() -> None:
    translation = Responses()
    translation.question(b'{"model": "m", "input": "Hi", "stream": true}')
    translation.frame(b"data: " + json.dumps(chunk(content="Ye")).encode() + b"\n\n")
    error = {"type": "upstream_error", "code": "broke", "message": "It broke.", "param": None, "request_id": "r"}
    told = translation.frame(b"event: error\ndata: " + json.dumps({"error": error}).encode() + b"\n\n").decode()
    *_, failed, last = [json.loads(block.split("data: ", 1)[1]) for block in told.split("\n\n") if block]
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"] == {"code": "broke", "message": "It broke."}
    assert (last["type"], last["code"], last["message"], last["error"]) == ("error", "broke", "It broke.", error)
