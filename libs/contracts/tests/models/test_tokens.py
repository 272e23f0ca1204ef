from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refusal, refused_field

from contracts.models.catalog import EmbeddingRequest
from contracts.models.tokens import DetokenizeRequest, TokenizeRequest, token_lists

CHAT = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("body", [{}, {"prompt": "a", "messages": CHAT}, {"prompt": None}])
def test_a_prompt_or_messages_are_tokenized_never_both(body: dict[str, Any]) -> None:
    assert "either `prompt` or `messages`" in refusal(TokenizeRequest, body)[1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"prompt": "\ud800"}, "prompt"),
        ({"prompt": "a", "chat_template": "x"}, "chat_template"),
        ({"messages": []}, "messages"),
    ],
)
def test_a_wrong_field_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    assert refused_field(TokenizeRequest, body) == field


@pytest.mark.parametrize("token", [-1, 2**31, True, "1", 1.0])
def test_a_token_is_a_whole_number_from_0(token: Any) -> None:
    assert refused_field(DetokenizeRequest, {"tokens": [token]}) == "tokens"


def test_inputs_are_texts_or_token_ids() -> None:
    given = {"one": "a", "texts": ["a", "b"], "ids": [1, 2], "lists": [[1], [2, 3]]}
    asked = {name: EmbeddingRequest.model_validate({"input": value}) for name, value in given.items()}
    assert {name: token_lists(each.input) for name, each in asked.items()} == {
        "one": None,
        "texts": None,
        "ids": [[1, 2]],
        "lists": [[1], [2, 3]],
    }
    assert [each.texts() for each in asked.values()] == [["a"], ["a", "b"], [], []]
