from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refusal, refused_field

from contracts.models.chat import ChatRequest
from contracts.models.completions import MAX_PROMPTS, USUAL_TOKENS, CompletionRequest, as_chat, prompts_of

ASK: dict[str, Any] = {"model": "big", "prompt": "Once"}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"logprobs": 21}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": float("nan")}, "temperature"),
        ({"prompt": "\ud800"}, "prompt"),
        ({"Prompt": "Twice"}, "Prompt"),
        ({"RAW_PROMPTS": True}, "RAW_PROMPTS"),
        ({"suffix": "\ud800"}, "suffix"),
    ],
)
def test_a_wrong_field_is_refused_by_name(more: dict[str, Any], field: str) -> None:
    assert refused_field(CompletionRequest, {**ASK, **more}) == field


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ([], f"1 to {MAX_PROMPTS} texts; there are 0"),
        (["a"] * (MAX_PROMPTS + 1), f"there are {MAX_PROMPTS + 1}"),
        ([1, 2], "token ids are not taken"),
        ([["a"]], "token ids are not taken"),
        (7, "token ids are not taken"),
        (["a", ""], "not empty; see number 1"),
        ("", "not empty; see number 0"),
        (None, "not empty; see number 0"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_said_in_one_sentence(prompt: Any, words: str) -> None:
    field, why = refusal(CompletionRequest, {**ASK, "prompt": prompt})
    assert (field, words in why) == ("prompt", True)


def test_one_text_is_a_list_of_one() -> None:
    assert prompts_of(CompletionRequest.model_validate(ASK)) == ["Once"]
    assert prompts_of(CompletionRequest.model_validate({**ASK, "prompt": ["a", "b"]})) == ["a", "b"]


def test_a_completion_becomes_a_chat_of_raw_prompts_with_all_that_was_asked() -> None:
    more = {"prompt": ["a", "b"], "max_tokens": 5, "echo": True, "logprobs": 0, "suffix": "end", "stream": True}
    body = as_chat(CompletionRequest.model_validate({**ASK, **more}))
    chat = ChatRequest.model_validate(body)
    assert (chat.raw_prompts, [message.plain_text() for message in chat.messages]) == (True, ["a", "b"])
    assert {name: body.get(name) for name in more} == {**more, "prompt": None}


@pytest.mark.parametrize("more", [{}, {"max_tokens": None}])
def test_an_answer_whose_length_nobody_said_is_as_short_as_openais(more: dict[str, Any]) -> None:
    body = as_chat(CompletionRequest.model_validate({**ASK, **more}))
    assert body["max_tokens"] == USUAL_TOKENS
    assert set(body) == {"model", "max_tokens", "messages", "raw_prompts"}
