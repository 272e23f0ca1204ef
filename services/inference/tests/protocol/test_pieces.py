from __future__ import annotations

from collections.abc import AsyncGenerator

from inference.protocol.engines import Piece
from inference.protocol.pieces import calls_piece, collect, end_piece, text_piece, usage_of, usage_piece

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


async def _pieces(*pieces: Piece) -> AsyncGenerator[Piece, None]:
    for piece in pieces:
        yield piece


async def test_a_stream_collected_is_the_whole_answer_of_each_choice() -> None:
    stream = _pieces(
        text_piece("One", 1),
        text_piece("Ze", 0, [{"token": "Ze"}]),
        text_piece("ro", 0, [{"token": "ro"}]),
        end_piece("stop", 0),
        end_piece("length", 1),
        usage_piece(usage_of(3, 4)),
    )
    whole = await collect(stream)
    assert [choice["message"]["content"] for choice in whole.choices] == ["Zero", "One"]
    assert [choice["finish_reason"] for choice in whole.choices] == ["stop", "length"]
    assert whole.choices[0]["logprobs"]["content"] == [{"token": "Ze"}, {"token": "ro"}]
    assert whole.usage == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


async def test_an_answer_of_calls_alone_has_no_content_and_its_calls_no_index() -> None:
    (choice,) = (await collect(_pieces(calls_piece([CALL]), end_piece("tool_calls")))).choices
    assert choice["message"] == {"role": "assistant", "content": None, "tool_calls": [CALL]}
