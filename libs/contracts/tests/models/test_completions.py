from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refusal, refused_field

from contracts.models.chat import ChatRequest
from contracts.models.completions import MAX_PROMPTS, USUAL_TOKENS, CompletionRequest, as_chat, token_ids_of, with_texts

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
        ([], f"1 to {MAX_PROMPTS} of them, there are 0"),
        (["a"] * (MAX_PROMPTS + 1), f"there are {MAX_PROMPTS + 1}"),
        ([1, -2], "not int; see number 0"),
        ([["a"]], "must be token ids, whole numbers from 0; see number 0"),
        ([[1, True]], "must be token ids, whole numbers from 0; see number 0"),
        ([[1], []], "must not be empty; see number 1"),
        ([[1], "a"], "not str; see number 1"),
        (7, "not int; see number 0"),
        (["a", ""], "must not be empty; see number 1"),
        ("", "must not be empty; see number 0"),
        (None, "not NoneType; see number 0"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_said_in_one_sentence(prompt: Any, words: str) -> None:
    field, why = refusal(CompletionRequest, {**ASK, "prompt": prompt})
    assert (field, words in why) == ("prompt", True)


@pytest.mark.parametrize(("prompt", "lists"), [([1, 2], [[1, 2]]), ([[1], [2, 3]], [[1], [2, 3]]), (["a"], None)])
def test_token_ids_wait_in_the_prompts_for_their_texts(prompt: Any, lists: list[list[int]] | None) -> None:
    chat = ChatRequest.model_validate(as_chat(CompletionRequest.model_validate({**ASK, "prompt": prompt})))
    assert token_ids_of(chat) == lists
    told = with_texts(chat, ["one", "two"])
    assert ([message.plain_text() for message in told.messages], told.raw_prompts) == (["one", "two"], True)
    assert token_ids_of(told) is None


def test_a_chats_own_field_of_that_name_is_no_prompt() -> None:
    message = {"role": "user", "content": "a", "token_ids": [1]}
    assert token_ids_of(ChatRequest.model_validate({"model": "m", "messages": [message]})) is None


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
