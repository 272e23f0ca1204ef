from __future__ import annotations

import json
from typing import Any

import pytest
from services.inference.tests.engines.transformers.requests import (
    END,
    WEATHER,
    YES_OR_NO,
    byte_tokenizer,
    generation_request,
    schema_of,
)

from inference.engines.transformers.answer import Answer
from inference.errors import AnswerUnfit
from inference.protocol.engines import Piece

TOKENIZER = byte_tokenizer()
CALL = '{"name": "weather", "arguments": {"city": "Oslo"}}'


class Written:
    """An answer, and what went out of it."""

    def __init__(self, index: int = 0, **asked: Any) -> None:
        self.pieces: list[Piece] = []
        request = generation_request(**asked)
        self.answer = Answer(request, index, TOKENIZER, lambda token: bytes([token]), self.pieces.append)

    def take(self, text: str | bytes, chance: float = -0.5) -> bool:
        """Go on with a text, byte by byte; whether a stop string is complete."""
        content = text.encode() if isinstance(text, str) else text
        found = [self.answer.take(byte, (chance, [(byte, chance), (120, -9.0)])) for byte in content]
        return found[-1]

    @property
    def choices(self) -> list[dict[str, Any]]:
        return [choice for piece in self.pieces for choice in piece.choices]

    @property
    def text(self) -> str:
        return "".join(choice["delta"].get("content") or "" for choice in self.choices)

    @property
    def reasons(self) -> list[str]:
        return [choice["finish_reason"] for choice in self.choices if choice["finish_reason"]]

    @property
    def logprobs(self) -> list[dict[str, Any]]:
        return [entry for choice in self.choices for entry in (choice.get("logprobs") or {"content": []})["content"]]


def test_text_goes_out_as_it_comes_and_no_character_in_halves() -> None:
    written = Written(index=3)
    written.take("rü漢\U0001f600")
    assert [choice["delta"]["content"] for choice in written.choices] == ["r", "ü", "漢", "\U0001f600"]
    written.answer.end("length")
    assert (written.reasons, {choice["index"] for choice in written.choices}) == (["length"], {3})
    assert "logprobs" not in written.choices[0]


def test_a_control_token_is_no_text() -> None:
    written = Written()
    written.take("a")
    written.answer.take(END, None)
    written.take("b")
    assert written.text == "ab"


def test_a_stop_string_ends_the_answer_and_is_never_shown() -> None:
    written = Written(stop=["END", "\n\n"])
    assert not written.take("one EN")
    assert written.text == "one "
    assert written.take("D")
    written.answer.end("stop")
    assert (written.text, written.reasons) == ("one ", ["stop"])


def test_what_only_began_like_a_stop_string_is_shown_at_the_end() -> None:
    written = Written(stop=["END"])
    written.take("one EN")
    written.answer.end("length")
    assert (written.text, written.reasons) == ("one EN", ["length"])


def test_each_shown_token_has_its_log_probability_with_its_text_and_those_of_a_stop_string_never() -> None:
    written = Written(stop=["END"], logprobs=True, top_logprobs=2)
    written.take("aü", chance=-0.25)
    written.take("END", chance=-7.0)
    written.answer.end("stop")
    assert [entry["bytes"] for entry in written.logprobs] == [[97], [0xC3], [0xBC]]
    first = written.logprobs[0]
    assert (first["token"], first["logprob"]) == ("a", -0.25)
    assert [(top["token"], top["logprob"]) for top in first["top_logprobs"]] == [("a", -0.25), ("x", -9.0)]
    assert written.logprobs[1]["token"] == "\ufffd", "half a character has bytes, and no text of its own"


def test_an_answer_must_fit_its_schema_unless_it_was_cut() -> None:
    asked = schema_of({**YES_OR_NO, "maxProperties": 0})  # which no grammar holds
    written = Written(**asked)
    written.take('{"yes": true}')
    with pytest.raises(AnswerUnfit):
        written.answer.end("stop")
    cut = Written(**asked)
    cut.take('{"yes": tr')
    cut.answer.end("length")
    assert cut.reasons == ["length"]
    stopped = Written(**asked, stop=["tr"])
    stopped.take('{"yes": tr')
    stopped.answer.end("stop")
    assert stopped.reasons == ["stop"]


def test_an_answer_that_fits_is_told_like_any() -> None:
    written = Written(**schema_of(YES_OR_NO))
    written.take('{"yes": false}')
    written.answer.end("stop")
    assert (json.loads(written.text), written.reasons) == ({"yes": False}, ["stop"])


def test_a_call_comes_whole_and_is_no_text() -> None:
    written = Written(tools=[WEATHER])
    written.take(CALL)
    assert written.text == ""
    written.answer.end("stop")
    (call,) = [call for choice in written.choices for call in choice["delta"].get("tool_calls") or []]
    assert (call["index"], call["function"]["name"]) == (0, "weather")
    assert json.loads(call["function"]["arguments"]) == {"city": "Oslo"}
    assert (written.text, written.reasons) == ("", ["tool_calls"])


def test_a_call_that_was_cut_says_so() -> None:
    written = Written(tools=[WEATHER])
    written.take(CALL[:-6])
    written.answer.end("length")
    assert written.reasons == ["length"]


def test_plain_words_beside_tools_are_text() -> None:
    written = Written(tools=[WEATHER])
    written.take("It rains.")
    written.answer.end("stop")
    assert (written.text, written.reasons) == ("It rains.", ["stop"])
