from __future__ import annotations

import json

from gateway.chat.completions import Completions


def test_a_chat_answer_becomes_a_text_completion() -> None:
    answer = {"id": "chatcmpl-1", "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}
    made = json.loads(Completions().whole(json.dumps(answer).encode()))
    assert (made["id"], made["object"]) == ("cmpl-1", "text_completion")
    assert made["choices"] == [{"text": "hi", "logprobs": None, "index": 0, "finish_reason": "stop"}]


def test_chunks_become_text_and_comments_errors_and_the_end_stay_as_they_are() -> None:
    chunk = b'data: {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": "h"}}]}\n\n'
    assert b'"text":"h"' in Completions().frame(chunk)
    for frame in (b": still here\n\n", b"event: error\ndata: {}\n\n", b"data: [DONE]\n\n"):
        assert Completions().frame(frame) == frame
