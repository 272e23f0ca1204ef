from __future__ import annotations

from typing import Any

import pytest

from contracts.models.chat import ChatRequest
from inference.catalog.llama_options import GenerationDefaults
from inference.engines.llamacpp.request import LlamaModel, parted, read_request
from servicekit.core.errors import InvalidRequest

PLAIN = LlamaModel(100, GenerationDefaults())
OPEN = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": OPEN}}
CLOSED = {**OPEN, "additionalProperties": False}


def request(content: Any = "Hi", **more: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": content}], **more})


def body(model: LlamaModel = PLAIN, **more: Any) -> dict[str, Any]:
    return read_request(request(**more), model).body


def test_what_a_request_leaves_out_is_as_the_models_file_says() -> None:
    habits = GenerationDefaults(max_tokens=40, temperature=0, top_k=5, min_p=0.1, repetition_penalty=1.2, top_p=0.5)
    model = LlamaModel(100, habits)
    unsaid = body(model)
    assert unsaid["max_tokens"] == 40
    assert (unsaid["temperature"], unsaid["top_p"], unsaid["top_k"], unsaid["min_p"]) == (0, 0.5, 5, 0.1)
    assert unsaid["repeat_penalty"] == 1.2
    said = body(model, temperature=1, top_p=1, top_k=-1, min_p=0, repetition_penalty=1, max_completion_tokens=7)
    assert (said["temperature"], said["top_p"], said["top_k"], said["min_p"]) == (1, 1, 0, 0)
    assert (said["repeat_penalty"], said["max_tokens"]) == (1, 7)


def test_the_models_own_penalty_is_not_for_json_which_repeats_its_marks() -> None:
    model = LlamaModel(100, GenerationDefaults(repetition_penalty=1.2))
    assert "repeat_penalty" not in body(model, response_format={"type": "json_object"})
    assert "repeat_penalty" not in body(model, tools=[TOOL])
    assert body(model, response_format={"type": "json_object"}, repetition_penalty=1.3)["repeat_penalty"] == 1.3


def test_an_answer_is_never_longer_than_the_context_and_nothing_else_is_sent_unasked() -> None:
    assert body() == {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100}
    assert body(max_tokens=2**40)["max_tokens"] == 100


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"frobnicate": 1}, "frobnicate"),
        ({"reasoning_effort": 3}, "reasoning_effort"),
        ({"ignore_eos": "maybe"}, "ignore_eos"),
        ({"min_tokens": 3, "max_tokens": 5}, "min_tokens"),
        ({"ignore_eos": True, "response_format": {"type": "json_object"}}, "ignore_eos"),
        ({"min_tokens": 5, "max_tokens": 5, "tools": [TOOL]}, "min_tokens"),
        ({"top_k": "many"}, "top_k"),
        ({"min_p": 2}, "min_p"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"frequency_penalty": 3}, "frequency_penalty"),
        ({"chat_template_kwargs": "thinking"}, "chat_template_kwargs"),
        ({"raw_prompts": True, "response_format": {"type": "json_object"}}, "response_format"),
        (
            {"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
            "messages.0.content",
        ),
    ],
)
def test_what_it_does_not_know_or_would_ignore_is_refused_by_name(more: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        body(**more)
    assert refused.value.param == param


@pytest.mark.parametrize("more", [{"ignore_eos": True}, {"min_tokens": 7}, {"ignore_eos": True, "min_tokens": 3}])
def test_a_benchmark_gets_as_many_tokens_as_it_names(more: dict[str, Any]) -> None:
    asked = body(max_tokens=7, **more)
    assert (asked["max_tokens"], asked["ignore_eos"]) == (7, True)
    assert "min_tokens" not in asked
    assert "ignore_eos" not in body(max_tokens=7, ignore_eos=False, min_tokens=0)


def test_how_much_to_reason_is_told_to_the_template() -> None:
    assert body(reasoning_effort="high")["chat_template_kwargs"] == {"reasoning_effort": "high"}
    both = body(reasoning_effort="high", chat_template_kwargs={"reasoning_effort": "low", "x": 1})
    assert both["chat_template_kwargs"] == {"reasoning_effort": "low", "x": 1}


def test_each_choice_has_a_seed_of_its_own_below_the_one_that_means_none() -> None:
    asked = read_request(request(n=3, seed=-1), PLAIN)
    seeds = [asked.of(choice).seed for choice in range(3)]
    assert len(set(seeds)) == 3
    assert all(seed is not None and 0 <= seed < 2**32 - 1 for seed in seeds)


def test_schemas_of_answers_and_tools_are_closed() -> None:
    shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": OPEN}}
    assert body(response_format=shape)["response_format"]["json_schema"]["schema"] == CLOSED
    assert body(response_format={"type": "json_object"})["response_format"] == {"type": "json_object"}
    native = LlamaModel(100, GenerationDefaults(), native_tools=True)
    asked = body(native, tools=[TOOL], tool_choice="required")
    assert asked["tools"][0]["function"]["parameters"] == CLOSED
    assert asked["tool_choice"] == "required"


def test_likeliest_tokens_are_asked_for_in_the_form_of_the_call() -> None:
    assert body(logprobs=True)["top_logprobs"] == 1
    assert body(logprobs=True, top_logprobs=3)["top_logprobs"] == 3
    assert body(logprobs=True, top_logprobs=2, raw_prompts=True)["logprobs"] == 2


def test_a_control_token_that_a_message_spells_is_parted_but_not_in_raw_prompts() -> None:
    model = LlamaModel(100, GenerationDefaults(), control_tokens=("<|im_end|>", "<s>"))
    text = "a<|im_end|>b<s>"
    assert body(model, content=text)["messages"][0]["content"] == "a< |im_end|>b< s>"
    assert body(model, content=text, raw_prompts=True)["messages"][0]["content"] == text
    native = LlamaModel(100, GenerationDefaults(), native_tools=True, control_tokens=("<s>",))
    parts = [{"type": "text", "text": "x<s>"}]
    assert body(native, content=parts)["messages"][0]["content"] == [{"type": "text", "text": "x< s>"}]
    assert parted("nothing here", ("<s>",)) == "nothing here"


def test_a_model_that_sees_gets_pictures_but_none_by_address() -> None:
    model = LlamaModel(100, GenerationDefaults(), pictures=True)
    near = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    asked = body(model, content=[{"type": "text", "text": "What is it?"}, near])
    assert asked["messages"][0]["content"][1] == near
    for url in ("http://169.254.169.254/", "file:///etc/passwd", 3):
        with pytest.raises(InvalidRequest) as refused:
            body(model, content=[{"type": "image_url", "image_url": {"url": url}}])
        assert refused.value.param == "messages.0.content"
