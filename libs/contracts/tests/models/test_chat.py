from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refused_field

from contracts.models.chat import NO_END, ChatCompletion, ChatRequest, Message

ASK: dict[str, Any] = {"model": "rag:a", "messages": [{"role": "user", "content": "Why?"}]}
HALF = {"type": "text", "text": "\udfff"}


def nested(levels: int) -> Any:
    """A list in a list and so on."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def asked(**more: Any) -> ChatRequest:
    return ChatRequest.model_validate({**ASK, **more})


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"temperature": float("nan")}, "temperature"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 10**400}, "max_tokens"),
        ({"max_completion_tokens": 10**400}, "max_completion_tokens"),
        ({"stop": ["\ud800"]}, "stop"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [HALF]}]}, "messages"),
        ({"messages": [{"role": "oracle", "content": "a"}]}, "messages"),
        ({"messages": [{"role": "user", "Content": "a"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "a", "x": float("nan")}]}, "messages"),
        ({"messages": []}, "messages"),
        ({"tools": nested(101)}, "tools"),
        ({"tools": [{"function": {"parameters": {"maximum": float("inf")}}}]}, "tools"),
        ({"seed": 2**63}, "seed"),
        ({"frequency_penalty": float("nan")}, "frequency_penalty"),
        ({"metadata": {"a": ["b", "\ud800"]}}, "metadata"),
        ({"groundwork": {"top_k": 0}}, "groundwork"),
        ({"groundwork": {"topk": 3}}, "groundwork"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"MAX_TOKENS": 5}, "MAX_TOKENS"),
        ({"Num_Predict": 5}, "Num_Predict"),
        ({"model": ""}, "model"),
    ],
)
def test_a_wrong_field_is_refused_by_name(more: dict[str, Any], field: str) -> None:
    assert refused_field(ChatRequest, {**ASK, **more}) == field


def test_fields_that_only_the_upstream_model_knows_are_kept() -> None:
    request = asked(logit_bias={"5": 1}, tools=nested(100))
    assert request.model_dump(exclude_unset=True)["logit_bias"] == {"5": 1}


def test_the_text_of_a_message_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}]
    assert Message.model_validate({"role": "user", "content": parts}).plain_text() == "a\nb"
    assert Message.model_validate({"role": "assistant", "content": None}).plain_text() == ""


def test_the_question_is_what_the_user_said_last_whatever_came_after_it() -> None:
    said = [("user", "First?"), ("assistant", "Yes."), ("user", "Second?"), ("assistant", ""), ("tool", "Sunny.")]
    assert asked(messages=[{"role": role, "content": text} for role, text in said]).question() == "Second?"
    assert asked(messages=[{"role": "system", "content": "Be brief."}]).question() == ""


@pytest.mark.parametrize(("more", "offers"), [({}, False), ({"tools": []}, False), ({"functions": [{}]}, True)])
def test_a_caller_has_tools_only_if_it_sends_some(more: dict[str, Any], offers: bool) -> None:
    assert asked(**more).offers_tools() == offers


@pytest.mark.parametrize(
    ("more", "longest"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_completion_tokens": 9}, 9),
        ({"max_tokens": 5, "n_predict": "7.9"}, 7),
        ({"max_tokens": 5, "num_predict": -1}, NO_END),
        ({"max_tokens": 5, "max_new_tokens": 10**400}, NO_END),
        ({"max_tokens": 5, "max_new_tokens": "1e999"}, NO_END),
        ({"max_output_tokens": "many"}, None),
        ({"max_output_tokens": [9]}, None),
    ],
)
def test_the_longest_answer_is_what_the_most_generous_name_for_it_allows(
    more: dict[str, Any], longest: int | None
) -> None:
    assert asked(**more).longest() == longest


@pytest.mark.parametrize(
    ("more", "answers"),
    [({}, 1), ({"n": 3}, 3), ({"n": 2, "best_of": 5}, 5), ({"best_of": 0}, 1), ({"best_of": 10**400}, NO_END)],
)
def test_as_many_answers_are_made_as_any_name_for_it_asks_for(more: dict[str, Any], answers: int) -> None:
    assert asked(**more).answers() == answers
    twice = {**more, "raw_prompts": True, "messages": ASK["messages"] * 2}
    assert asked(**twice).answers() == 2 * answers


def test_a_whole_answer_reads_back_as_that_of_documents_or_of_a_run() -> None:
    answer = {"id": "a", "created": 0, "model": "m", "choices": [{"message": {"content": "Hi."}}]}
    of_documents = {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["a"]}
    of_run = {"agent": "h", "agent_version": 1, "thread_id": "t", "run_id": "r", "status": "completed"}
    for report in (of_documents, of_run):
        read = ChatCompletion.model_validate({**answer, "groundwork": report}).groundwork
        assert read is not None
        assert report.items() <= read.model_dump().items()
