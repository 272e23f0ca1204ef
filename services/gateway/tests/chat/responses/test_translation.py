"""Responses as chats and back, without a server."""

from __future__ import annotations

from services.gateway.tests.chat.responses.driver import CITED, USAGE, chunk, events, whole


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
