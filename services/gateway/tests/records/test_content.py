from __future__ import annotations

import json
from typing import Any

import pytest
from services.gateway.tests.records.recordings import Roomy, recording

from contracts.models.chat import Message
from gateway.records.content import Row, rows_of
from servicekit.core.clock import ManualClock


def _rows(clock: ManualClock, **more: Any) -> tuple[Row, list[Row]]:
    return rows_of(recording(Roomy(), more.pop("answer_id", "chatcmpl_1"), clock.now(), **more))[:2]


@pytest.mark.parametrize("bad", ["\0", "\ud800"])
def test_no_text_of_a_row_has_what_a_database_refuses(clock: ManualClock, bad: str) -> None:
    source = {"collection": f"a{bad}", "document_id": f"d{bad}", "revision": 1, "chunk_id": "c", "text": bad}
    asked = {"model": "rag:a\0b,c", "user": "\0", "question": "\0"}  # half a pair gets nowhere in a request
    row, documents = _rows(clock, answer_id=f"x{bad}", answer=bad, error_type=f"e{bad}", sources=[source], **asked)
    texts = [value for each in (row, *documents) for value in each.values() if isinstance(value, str)]
    assert b"\0" not in "".join(texts).encode()
    assert {each["record_id"] for each in documents} == {row["id"]}


def test_no_text_of_a_row_is_longer_than_its_column(clock: ManualClock) -> None:
    source = {"collection": "a" * 100, "document_id": "d" * 500, "revision": 1, "chunk_id": "c", "text": "t"}
    row, (document,) = _rows(clock, answer_id="x" * 500, model="m" * 500, sources=[source])
    assert (len(row["id"]), len(row["model"])) == (64, 200)
    assert (len(document["record_id"]), len(document["collection"]), len(document["document_id"])) == (64, 63, 200)


@pytest.mark.parametrize(
    ("model", "collections"),
    [("rag:a, b_c", ",a,b_c,"), ("rag:a\0b,c", ",c,"), ("rag:A", ""), ("rag:", ""), ("m", "")],
)
def test_only_what_can_be_a_collections_name_is_one_in_a_record(
    clock: ManualClock, model: str, collections: str
) -> None:
    assert _rows(clock, model=model)[0]["collections"] == collections


def test_an_agents_answer_is_of_the_collections_of_its_passages_and_a_models_of_none(clock: ManualClock) -> None:
    found = [{"collection": name, "document_id": "d", "revision": 1, "chunk_id": "c"} for name in ("b", "a", "b", "A!")]
    for model, collections in (("agent:helper", ",b,a,"), ("rag:c", ",c,"), ("m", "")):
        assert _rows(clock, model=model, sources=found)[0]["collections"] == collections


@pytest.mark.parametrize("answer", ["Because.", "y" * 40_000])
def test_a_text_that_was_cut_is_told_and_a_picture_is_no_text(clock: ManualClock, answer: str) -> None:
    picture = f"data:image/png;base64,{'A' * 60_000}"
    whole = [{"type": "text", "text": "Why?"}, {"type": "image_url", "image_url": {"url": picture}}]
    content = json.loads(_rows(clock, question=whole, answer=answer)[0]["content"])
    assert "truncated" not in content
    assert content["messages"][0]["content"][1]["image_url"]["url"].endswith("characters)")
    long = {"collection": "a", "document_id": "d1", "revision": 1, "chunk_id": "c1", "text": "z" * 210_000}
    assert json.loads(_rows(clock, question=whole, answer=answer, sources=[long])[0]["content"])["truncated"]


def test_a_prompt_that_says_more_than_a_record_holds_is_cut_and_that_is_told(clock: ManualClock) -> None:
    one = recording(Roomy(), "chatcmpl_1", clock.now())
    one.keep_prompt([Message(role="system", content="z\0" * 150_000), Message(role="user", content="Why?")], 1)
    content = json.loads(rows_of(one)[0]["content"])
    assert content["truncated"]
    assert [len(message["content"]) < 60_000 for message in content["prompt_messages"]] == [True, True]
    assert content["messages"] == [{"role": "user", "content": "Why?"}]


def test_a_text_is_kept_whole_beside_a_picture_and_where_it_begins_like_one(clock: ManualClock) -> None:
    texts = ["x" * 60_000, "data: " + "1, 2, " * 100]
    source = {"collection": "a", "document_id": "d1", "revision": 1, "chunk_id": "c1", "text": texts[0]}
    told = {"collection": "a", "document_id": "d2", "revision": 1, "chunk_id": "c2", "text": texts[1]}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * 5000}"}}
    content = json.loads(_rows(clock, question=[picture], sources=[source, told])[0]["content"])
    assert [hit["text"] for hit in content["hits"]] == texts
    assert "truncated" not in content
