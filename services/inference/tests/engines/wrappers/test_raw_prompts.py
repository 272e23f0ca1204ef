from __future__ import annotations

import json
from typing import Any

import pytest
from services.inference.tests.api.calls import error_of, events

from contracts.models.chat import ChatCompletion


def raw(*prompts: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt} for prompt in prompts]
    return {"model": "default", "messages": messages, "raw_prompts": True, **more}


def test_each_prompt_is_answered_by_itself_and_all_are_counted(running: Any) -> None:
    body = raw("What is the capital of France?", "Hello", n=2)
    answer = ChatCompletion.model_validate(running.post("/v1/chat/completions", body).json())
    texts = [(choice.index, choice.message.content) for choice in answer.choices]
    paris, hello = "Paris is the capital.", "You said: Hello"
    assert texts == [(0, paris), (1, paris), (2, hello), (3, hello)]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7 + 1, 2 * 5 + 2 * 4)


def test_a_stream_of_several_prompts_says_the_same(running: Any) -> None:
    body = raw("What is the capital of France?", "Hello", stream=True, echo=True)
    *data, done = events(running.post("/v1/chat/completions", body).text)
    assert done == "[DONE]"
    texts = {0: "", 1: ""}
    for chunk in map(_parsed, data):
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["delta"].get("content") or ""
    assert texts == {0: "What is the capital of France?Paris is the capital.", 1: "HelloYou said: Hello"}


def _parsed(line: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(line)
    return parsed


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_have_the_form_of_completions(running: Any, stream: bool) -> None:
    text = running.post("/v1/chat/completions", raw("What is the capital of France?", logprobs=1, stream=stream)).text
    chunks = [_parsed(line) for line in events(text) if line != "[DONE]"] if stream else [_parsed(text)]
    told = [choice["logprobs"] for chunk in chunks for choice in chunk["choices"] if choice.get("logprobs")]
    tokens = [token for each in told for token in each["tokens"]]
    offsets = [offset for each in told for offset in each["text_offset"]]
    assert "".join(tokens) == "Paris is the capital."
    assert offsets == [sum(map(len, tokens[:number])) for number in range(len(tokens))]
    assert [chance for each in told for chance in each["token_logprobs"]] == [0.0] * len(tokens)
    assert [top for each in told for top in each["top_logprobs"]] == [{token: 0.0} for token in tokens]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"suffix": "after"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"logprobs": True}, "logprobs"),
        ({"repetition_penalty": 1.5}, "repetition_penalty"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    ],
)
def test_what_this_engine_can_not_do_with_a_text_is_refused_by_name(
    running: Any, more: dict[str, Any], param: str
) -> None:
    answer = running.post("/v1/chat/completions", raw("Hello", **more))
    assert (answer.status_code, error_of(answer)["param"]) == (400, param)


def test_what_asks_for_nothing_is_taken(running: Any) -> None:
    asked = raw("Hello", suffix=None, best_of=1, logprobs=None, echo=False, repetition_penalty=1.0, ignore_eos=False)
    assert running.post("/v1/chat/completions", asked).status_code == 200
