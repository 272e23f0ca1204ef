from __future__ import annotations

from typing import Any

import pytest

from contracts.models.chat import Message
from inference.requests.conversation import ContentUnsupported, MalformedToolCall, render

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}


def _messages(*messages: dict[str, Any]) -> list[Message]:
    return [Message.model_validate(message) for message in messages]


def test_an_instruction_ends_the_system_message_or_becomes_one() -> None:
    user = {"role": "user", "content": "Hi"}
    first, *_ = render(_messages({"role": "developer", "content": "Be brief."}, user), "Call tools.")
    assert first == {"role": "system", "content": "Be brief.\n\nCall tools."}
    assert render(_messages(user), "Call tools.")[0] == {"role": "system", "content": "Call tools."}


def test_calls_and_their_results_become_text_of_turns() -> None:
    rendered = render(
        _messages(
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "5 degrees"},
            {"role": "user", "content": "And now?"},
        )
    )
    assert rendered == (
        {"role": "assistant", "content": '{"name": "weather", "arguments": {"city": "Oslo"}}'},
        {"role": "user", "content": "Result of weather:\n5 degrees\n\nAnd now?"},
    )


def test_what_is_no_text_and_what_is_no_call_is_refused_by_its_place() -> None:
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    with pytest.raises(ContentUnsupported) as refused:
        render(_messages(image))
    assert refused.value.param == "messages.0.content"
    with pytest.raises(MalformedToolCall):
        render(_messages({"role": "assistant", "content": "", "tool_calls": [{"id": "c1"}]}))
