"""Responses as chats and back, without a server."""

from __future__ import annotations

import json

from services.gateway.tests.chat.responses.driver import CITED, SKY, USAGE, chunk, events, whole

from contracts.models.responses import Response
from gateway.chat.responses.translation import Responses

SAID = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}


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


def test_a_search_in_collections_is_an_item_before_the_answer() -> None:
    search = {"type": "file_search", "vector_store_ids": ["a"]}
    told = events(chunk(content="Yes"), chunk("stop"), "[DONE]", tools=[search])
    kinds = [event["type"].removeprefix("response.") for event in told]
    searching = [f"file_search_call.{state}" for state in ("in_progress", "searching", "completed")]
    assert kinds[:7] == ["created", "in_progress", "output_item.added", *searching, "output_item.done"]
    output = Response.model_validate(told[-1]["response"]).output
    assert [item["type"] for item in output] == ["file_search_call", "message"]
    assert (output[0]["queries"], output[0]["status"]) == (["Hi"], "completed")


def test_a_tool_of_a_namespace_is_called_by_the_name_that_the_caller_knows() -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "far__sky", "arguments": "{}"}}
    told = events(
        chunk(tool_calls=[call]), chunk("tool_calls"), "[DONE]",
        tools=[{"type": "namespace", "name": "far", "tools": [SKY]}],
    )  # fmt: skip
    item = told[-1]["response"]["output"][0]
    assert (item["namespace"], item["name"], item["arguments"]) == ("far", "sky", "{}")


def test_what_was_left_out_is_named_in_the_answer() -> None:
    answer = {"choices": [{"message": {"content": "Yes"}, "finish_reason": "stop"}]}
    told = whole(answer, tools=[{"type": "web_search"}, {"type": "web_search"}, SKY], store=True)
    assert told["groundwork"] == {"degraded": ["tool_ignored:web_search", "store_ignored"]}
    assert "groundwork" not in whole(answer, tools=[SKY])
    reported = whole(answer | {"groundwork": {"degraded": ["a"]}}, model="rag:c", store=True)
    assert reported["groundwork"]["degraded"] == ["a", "store_ignored"]
