from __future__ import annotations

import pytest

from contracts.operations import models
from contracts.operations.models import (
    CREATE_CHAT_COMPLETION,
    CREATE_COMPLETION,
    DETOKENIZE,
    GET_MODEL,
    RERANK,
    RERANK_V2,
)
from contracts.operations.operation import Operation

EVERY = [value for value in vars(models).values() if isinstance(value, Operation)]
PULLS = [operation for operation in EVERY if operation.path.startswith("/v1/models/pull")]
ALL = [operation for operation in EVERY if operation not in PULLS]


def test_only_an_administrator_has_anything_to_do_with_pulls() -> None:
    assert {operation.method for operation in PULLS} == {"POST", "GET", "DELETE"}
    assert {operation.scopes for operation in PULLS} == {("admin",)}


def test_every_call_of_a_model_is_limited_recorded_screened_and_for_who_may_chat() -> None:
    for operation in ALL:
        calls = operation.method == "POST"
        assert (operation.route is not None) == calls, operation.id
        assert operation.reach.question == (calls and operation is not DETOKENIZE), operation.id
        scopes = {"POST": ("chat",), "GET": (), "PUT": ("admin",), "DELETE": ("admin", "evaluations:write")}
        assert operation.scopes == scopes[operation.method], operation.id


def test_whatever_answers_with_a_model_s_words_is_screened_on_its_way_back() -> None:
    for operation in ALL:
        assert operation.reach.answer == (operation.streams == "if_asked"), operation.id


def test_both_paths_of_rerank_are_one_call() -> None:
    assert (RERANK.name, RERANK.request, RERANK.reply, RERANK.reach, RERANK.route) == (
        RERANK_V2.name,
        RERANK_V2.request,
        RERANK_V2.reply,
        RERANK_V2.reach,
        RERANK_V2.route,
    )


@pytest.mark.parametrize("name", ["org/model-7b", "rag:a,b", "agent:helper", "ä b"])
def test_a_model_may_be_called_anything_and_stays_one_part_of_a_path(name: str) -> None:
    assert GET_MODEL.takes_slashes
    assert GET_MODEL.parameter("id")[1].fullmatch(name)
    assert GET_MODEL.path_of(name).count("/") == 3


def test_an_event_of_a_stream_is_described_where_it_is_not_the_answer_itself() -> None:
    assert CREATE_CHAT_COMPLETION.event is not CREATE_CHAT_COMPLETION.reply
    assert CREATE_COMPLETION.event is CREATE_COMPLETION.reply
    for operation in ALL:
        assert (operation.event is not None) == (operation.streams != "never"), operation.id
