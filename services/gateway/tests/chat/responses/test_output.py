"""Responses as chats and back, without a server."""

from __future__ import annotations

from services.gateway.tests.chat.responses.driver import SKY, chunk, events, whole


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
