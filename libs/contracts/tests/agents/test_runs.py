from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refusal, refused_field
from pydantic import BaseModel

from contracts.agents.runs import (
    FINAL_RUN_EVENTS,
    FINAL_RUN_STATUSES,
    MAX_INPUT_CHARS,
    Decision,
    Resume,
    RunCreate,
    RunEvent,
    RunReplay,
    RunUsage,
    ThreadCreate,
)

RUN: dict[str, Any] = {"agent": "helper", "input": "Do it."}
CALL: dict[str, Any] = {"tool_call_id": "call_1", "action": "reject"}


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (RunCreate, {**RUN, "agent": "agent:helper"}, "agent"),
        (RunCreate, {**RUN, "input": ""}, "input"),
        (RunCreate, {**RUN, "input": "a\0b"}, "input"),
        (RunCreate, {**RUN, "input": "\udfff"}, "input"),
        (RunCreate, {**RUN, "input": "x" * (MAX_INPUT_CHARS + 1)}, "input"),
        (RunCreate, {**RUN, "limits": {"steps": 999}}, "limits"),
        (RunReplay, {"after": -1}, "after"),
        (RunReplay, {"after": 2**31}, "after"),
        (RunReplay, {"after": 1, "input": ""}, "input"),
        (RunReplay, {"after": 1, "agent": "other"}, "agent"),
        (ThreadCreate, {"metadata": {"a": float("nan")}}, "metadata"),
        (ThreadCreate, {"metadata": {"a": "\ud800"}}, "metadata"),
        (ThreadCreate, {"metadata": {"a": "x" * 16_000}}, "metadata"),
        (Decision, {**CALL, "tool_call_id": ""}, "tool_call_id"),
        (Decision, {**CALL, "action": "maybe"}, "action"),
        (Decision, {**CALL, "message": "a\0b"}, "message"),
        (Decision, {**CALL, "action": "edit", "arguments": {"a": float("inf")}}, "arguments"),
        (Resume, {"decisions": []}, "decisions"),
        (Resume, {"decisions": [CALL] * 1001}, "decisions"),
    ],
)
def test_a_wrong_field_is_refused_by_name(model: type[BaseModel], body: dict[str, Any], field: str) -> None:
    assert refused_field(model, body) == field


def test_a_run_takes_any_text_up_to_its_length() -> None:
    for text in ("🙂", " \n", "x" * MAX_INPUT_CHARS):
        assert RunCreate.model_validate({**RUN, "input": text}).input == text


@pytest.mark.parametrize(
    "decision",
    [{"action": "edit"}, {"action": "approve", "arguments": {}}, {"action": "reject", "arguments": {"a": 1}}],
)
def test_arguments_go_with_an_edit_and_with_nothing_else(decision: dict[str, Any]) -> None:
    field, why = refusal(Decision, {"tool_call_id": "call_1", **decision})
    assert (field, "with the action `edit`, and only then" in why) == ("", True)


def test_an_edit_may_take_all_arguments_away() -> None:
    assert Decision.model_validate({**CALL, "action": "edit", "arguments": {}}).arguments == {}


def test_a_run_ends_with_the_event_of_its_last_status() -> None:
    assert {f"run.{status}" for status in FINAL_RUN_STATUSES} == FINAL_RUN_EVENTS


def test_an_event_of_a_later_release_is_read_like_any_other() -> None:
    told = {"id": 1, "type": "thought", "run_id": "run_1", "created_at": "2026-01-01T00:00:00Z", "new": 1}
    assert RunEvent.model_validate(told).type == "thought"


def test_a_cost_that_nobody_knows_is_null_and_not_zero() -> None:
    assert '"cost_usd":null' in RunUsage().model_dump_json()
