from __future__ import annotations

from typing import Any

from services.inference.tests.api.calls import ask


def test_stop_strings_end_the_answer_and_are_not_shown(running: Any) -> None:
    answer = running.post("/v1/chat/completions", ask(stop=["the cap"])).json()["choices"][0]
    assert answer["message"]["content"] == "Paris is "
    assert answer["finish_reason"] == "stop"


def test_max_tokens_cuts_the_answer_and_says_so(running: Any) -> None:
    answer = running.post("/v1/chat/completions", ask(max_tokens=2)).json()["choices"][0]
    assert answer["message"]["content"] == "Paris is"
    assert answer["finish_reason"] == "length"
