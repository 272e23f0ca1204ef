"""Documents in, cited answer out: the promise that everything else serves."""

from __future__ import annotations

import pytest
from tests.support.home.stack import RunningHome, handbook_questions

from contracts.models.citations import Annotation
from contracts.retrieval.collections import Collection
from groundwork.client import Answer, AnswerDone, ApiError, Groundwork, TextDelta

FORMATS = {
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "text/html",
    "text/markdown",
    "text/plain",
}
KNOWN = handbook_questions(answerable=True)[0]


def quote_in_text(client: Groundwork, note: Annotation) -> bool:
    text = client.documents.text(note.collection, note.document_id, revision=note.revision)
    return text[note.start : note.end] == note.quote


def assert_right_and_honest(client: Groundwork, answer: Answer) -> None:
    assert KNOWN["answer"] in " ".join(answer.text.split())
    assert KNOWN["document"] in {note.source for note in answer.citations}
    assert all(quote_in_text(client, note) for note in answer.citations)
    for note in answer.citations:
        assert answer.text[note.index :].startswith(note.marker)
    assert answer.report is not None
    assert answer.report.grounded
    assert not answer.report.abstained


def test_documents_of_all_five_formats_become_ready_with_chunks(home: RunningHome, handbook: Collection) -> None:
    documents = list(home.client.documents.list("handbook"))
    assert {document.media_type.partition(";")[0] for document in documents} == FORMATS
    assert all(document.status == "ready" and document.chunks > 0 for document in documents)
    assert handbook.documents == len(documents) >= 14
    assert handbook.chunks == sum(document.chunks for document in documents)


def test_chunks_are_exact_slices_of_the_text(home: RunningHome, handbook: Collection) -> None:
    for document in home.client.documents.list("handbook"):
        text = home.client.documents.text("handbook", document.id)
        chunks = list(home.client.documents.chunks("handbook", document.id))
        assert [chunk.ordinal for chunk in chunks] == list(range(document.chunks))
        assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks), document.source


@pytest.mark.parametrize("mode", ["hybrid", "dense", "sparse"])
def test_search_finds_the_right_document(home: RunningHome, handbook: Collection, mode: str) -> None:
    reply = home.client.search("handbook", KNOWN["question"], limit=5, mode=mode)  # type: ignore[arg-type]
    assert KNOWN["document"] in [hit.source for hit in reply.hits[:3]]
    assert reply.degraded == []
    scores = [hit.score for hit in reply.hits]
    assert scores == sorted(scores, reverse=True)


def test_an_answer_cites_exact_spans_of_the_right_document(home: RunningHome, handbook: Collection) -> None:
    assert_right_and_honest(home.client, home.client.ask("handbook", KNOWN["question"]))


def test_a_streamed_answer_is_as_right_and_as_cited(home: RunningHome, handbook: Collection) -> None:
    *deltas, done = home.client.ask_stream("handbook", KNOWN["question"])
    assert isinstance(done, AnswerDone)
    assert deltas
    assert all(isinstance(delta, TextDelta) for delta in deltas)
    assert_right_and_honest(home.client, done.answer)


def test_at_least_eight_of_ten_questions_without_an_answer_are_not_answered(
    home: RunningHome, handbook: Collection
) -> None:
    answers = [home.client.ask("handbook", entry["question"]) for entry in handbook_questions(answerable=False)]
    abstained = [answer for answer in answers if answer.report and answer.report.answer_kind == "abstained"]
    assert len(answers) == 10
    assert len(abstained) >= 8
    assert not any(answer.citations for answer in abstained)


def test_the_same_bytes_again_change_nothing(home: RunningHome) -> None:
    documents = home.client.documents
    home.client.collections.ensure("again")
    first = documents.upload("again", b"# Tides\n\nThe tide turns at noon.\n", filename="tides.md")
    assert first.job is not None
    home.client.jobs.wait(first.job.id)
    second = documents.upload("again", b"# Tides\n\nThe tide turns at noon.\n", filename="tides.md")
    assert second.unchanged
    assert second.document.id == first.document.id
    assert home.client.collections.get("again").documents == 1


def test_a_changed_document_is_a_new_revision_and_the_old_one_is_no_longer_found(home: RunningHome) -> None:
    client = home.client
    client.collections.ensure("revised")
    for hour in ("noon", "midnight"):
        accepted = client.documents.add_text("revised", f"The tide turns at {hour}.", document_id="tides")
        assert accepted.job is not None
        client.jobs.wait(accepted.job.id)
    document = client.documents.get("revised", "tides")
    assert (document.revision, document.status, document.chunks) == (2, "ready", 1)
    assert [hit.text for hit in client.search("revised", "When does the tide turn?").hits] == [
        "The tide turns at midnight."
    ]
    assert client.documents.text("revised", "tides") == "The tide turns at midnight."
    assert client.documents.text("revised", "tides", revision=1) == "The tide turns at noon."


def test_a_deleted_document_is_gone_from_search_when_the_call_returns(home: RunningHome) -> None:
    client = home.client
    client.collections.ensure("deleted")
    accepted = client.documents.add_text("deleted", "The lamp is green.", document_id="lamp")
    assert accepted.job is not None
    client.jobs.wait(accepted.job.id)
    assert client.search("deleted", "lamp").hits
    client.documents.delete("deleted", "lamp")
    assert client.search("deleted", "lamp").hits == []
    with pytest.raises(ApiError) as caught:
        client.documents.get("deleted", "lamp")
    assert caught.value.status == 404


def test_a_deleted_collection_is_gone_and_its_name_is_free(home: RunningHome) -> None:
    client = home.client
    client.collections.ensure("short-lived")
    accepted = client.documents.add_text("short-lived", "Something.")
    assert accepted.job is not None
    client.jobs.wait(accepted.job.id)
    client.collections.delete("short-lived")
    assert "short-lived" not in {collection.name for collection in client.collections.list()}
    assert client.collections.create("short-lived").documents == 0


def test_usage_is_recorded_with_its_tokens(home: RunningHome, handbook: Collection) -> None:
    home.client.ask("handbook", KNOWN["question"])
    rows = list(home.client.usage(group_by="tenant"))
    assert sum(row.requests for row in rows) > 0
    assert sum(row.prompt_tokens + row.completion_tokens + row.embedding_tokens for row in rows) > 0
