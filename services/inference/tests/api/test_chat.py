from __future__ import annotations

from typing import Any

import pytest
from services.inference.tests.api.calls import ask, error_of


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_piece_is_an_ordinary_error_also_for_a_stream(running: Any, stream: bool) -> None:
    answer = running.post("/v1/chat/completions", ask("word " * 100, stream=stream))
    assert answer.status_code == 400
    error = error_of(answer)
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert error["message"].startswith("This model's maximum context length is 64 tokens")
    assert "(context_length_exceeded)" in error["message"]


@pytest.mark.parametrize("field", [{"max_tokens": -1}, {"temperature": 3}, {"messages": []}, {"top_p": 0}])
def test_a_body_that_does_not_match_the_schema_is_422_and_names_the_field(running: Any, field: dict[str, Any]) -> None:
    answer = running.post("/v1/chat/completions", ask() | field)
    assert answer.status_code == 422
    assert error_of(answer)["param"] == next(iter(field))


def test_a_key_may_chat_only_with_its_models_but_always_embed(running: Any) -> None:
    assert running.post("/v1/chat/completions", ask(), models=("talker",)).status_code == 200
    answer = running.post("/v1/chat/completions", ask(), models=("other",))
    assert answer.status_code == 403
    assert error_of(answer)["code"] == "model_not_allowed"
    assert running.post("/v1/embeddings", {"input": "x"}, models=("other",)).status_code == 200
