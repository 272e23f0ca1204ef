"""Responses as chats and back, without a server."""

from __future__ import annotations

import json
from typing import Any

from gateway.chat.responses.translation import Responses

SKY: dict[str, Any] = {"type": "function", "name": "sky", "description": "d", "parameters": {"type": "object"}}


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
