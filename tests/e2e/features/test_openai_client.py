"""Any OpenAI client works, given only base URL and key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openai import NotFoundError, OpenAI
from tests.support.home.stack import RunningHome, handbook_questions

from contracts.retrieval.collections import Collection

KNOWN = handbook_questions(answerable=True)[0]


@pytest.fixture(scope="module")
def openai(home: RunningHome) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{home.base_url}/v1", api_key=home.admin_key, max_retries=0) as client:
        yield client


def messages(question: str) -> Any:
    return [{"role": "user", "content": question}]


def test_rag_models_are_listed_beside_plain_ones(openai: OpenAI, handbook: Collection) -> None:
    models = {model.id for model in openai.models.list()}
    assert "rag:handbook" in models
    assert any(":" not in model for model in models)


def test_an_answer_has_annotations_whose_quotes_are_spans(
    openai: OpenAI, home: RunningHome, handbook: Collection
) -> None:
    answer = openai.chat.completions.create(model="rag:handbook", messages=messages(KNOWN["question"]))
    notes: list[Any] = answer.choices[0].message.annotations or []
    assert KNOWN["document"] in {note.source for note in notes}
    for note in notes:
        text = home.client.documents.text("handbook", note.document_id, revision=note.revision)
        assert text[note.start : note.end] == note.quote


def test_a_streamed_answer_brings_its_annotations_in_the_last_delta_with_content(
    openai: OpenAI, handbook: Collection
) -> None:
    stream = openai.chat.completions.create(
        model="rag:handbook",
        messages=messages(KNOWN["question"]),
        stream=True,
        extra_body={"groundwork": {"include": ["sources", "receipt"]}},
    )
    chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    with_content = [delta for delta in deltas if delta.content]
    annotated = [delta for delta in deltas if getattr(delta, "annotations", None)]
    assert annotated == [with_content[-1]]
    text = "".join(delta.content or "" for delta in with_content)
    assert KNOWN["answer"] in " ".join(text.split())
    (report,) = [chunk.groundwork for chunk in chunks if getattr(chunk, "groundwork", None)]  # type: ignore[attr-defined]
    assert report["grounded"] is True
    assert report["sources"]
    assert report["receipt"]["stages"]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def test_a_plain_model_answers_streamed_and_not(openai: OpenAI) -> None:
    whole = openai.chat.completions.create(model="default", messages=messages("Say hello."), max_tokens=8)
    assert whole.choices[0].message.content
    assert whole.usage is not None
    assert whole.usage.completion_tokens <= 8
    pieces = openai.chat.completions.create(model="default", messages=messages("Say hello."), max_tokens=8, stream=True)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_come_as_floats_or_base64(openai: OpenAI, encoding: Any) -> None:
    reply = openai.embeddings.create(
        model="default", input=["a ship", "a boat", "a tax form"], encoding_format=encoding
    )
    assert [item.index for item in reply.data] == [0, 1, 2]
    assert reply.usage.prompt_tokens > 0
    if encoding == "float":
        ship, boat, form = (item.embedding for item in reply.data)
        near = sum(a * b for a, b in zip(ship, boat, strict=True))
        assert near > sum(a * b for a, b in zip(ship, form, strict=True))


def test_an_unknown_model_is_the_clients_not_found_error(openai: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="no-such-model"):
        openai.chat.completions.create(model="no-such-model", messages=messages("Hello?"))
