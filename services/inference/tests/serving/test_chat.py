from __future__ import annotations

import json
from typing import Any

from services.inference.tests.api.calls import ask, events

from contracts.models.chat import ChatCompletion, ChatCompletionChunk


def test_a_whole_answer_has_text_reason_and_usage(running: Any) -> None:
    answer = ChatCompletion.model_validate(running.post("/v1/chat/completions", ask()).json())
    assert answer.model == "talker"
    assert answer.choices[0].message.content == "Paris is the capital."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 5, 12)


def test_a_stream_says_the_same_as_the_whole_answer_and_ends_with_done(running: Any) -> None:
    answer = running.post("/v1/chat/completions", ask(stream=True, stream_options={"include_usage": True}))
    assert answer.headers["content-type"].startswith("text/event-stream")
    *data, done = events(answer.text)
    chunks = [ChatCompletionChunk.model_validate_json(line) for line in data]
    assert done == "[DONE]"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices) == "Paris is the capital."
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 12
    assert len({chunk.id for chunk in chunks}) == 1


def test_usage_is_not_streamed_unless_it_is_asked_for(running: Any) -> None:
    answer = running.post("/v1/chat/completions", ask(stream=True))
    assert all("usage" not in json.loads(line) for line in events(answer.text)[:-1])
