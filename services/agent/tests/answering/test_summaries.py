"""A document's summary by its id: cited exactly, of one document, refused where there is none."""

from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.answering.surveys.test_summary import LEAVE, REPORT, TABLE
from services.agent.tests.conftest import Bench, delegation

from agent.answering.summaries import summarise_document
from agent.errors import CollectionNotAllowed, DocumentNotSearchable, ModelNotAnswerable
from agent.testing.scripted_answers import CAPABLE
from contracts.models.chat import DocumentSummary, SummaryRequest
from servicekit.auth.delegation import Caller, ScopeMissing
from servicekit.core.errors import UpstreamFailed

TEXT = "".join(one.text for one in REPORT)


async def _summary(
    bench: Bench, document_id: str, collections: tuple[str, ...] | None = None, **wanted: Any
) -> DocumentSummary:
    caller = Caller(delegation(collections), "token")
    request = SummaryRequest.model_validate(wanted)
    return await summarise_document(bench.answering, "handbook", document_id, request, caller, "req_1")


async def test_a_summary_is_of_the_named_document_and_each_sentence_is_cited_to_the_letter() -> None:
    made = await _summary(Bench(hits=(*LEAVE, *REPORT[::-1])), "incident-report-2024-11")
    assert made.content.startswith("- The broker accepted no readings")
    assert (made.title, made.revision, made.chunks) == ("Incident Report: Outage of 14 November", 1, 3)
    assert len(made.annotations) == 3
    for one in made.annotations:
        assert TEXT[one.start : one.end] == one.quote
        assert made.content[one.index :].startswith(one.marker)


async def test_a_document_without_sentences_shows_its_parts() -> None:
    made = await _summary(Bench(hits=TABLE), "price-list")
    assert [one.quote for one in made.annotations] == ["Product | Price"]


async def test_of_a_document_that_the_index_does_not_have_there_is_none() -> None:
    with pytest.raises(DocumentNotSearchable, match="nothing of a document 'nowhere'"):
        await _summary(Bench(hits=REPORT), "nowhere")


async def test_a_key_for_other_collections_is_refused_before_anything_is_searched() -> None:
    bench = Bench(hits=REPORT)
    with pytest.raises(CollectionNotAllowed):
        await _summary(bench, "incident-report-2024-11", ("other",))
    assert bench.search.requests == []


async def test_without_embeddings_words_decide_and_it_says_so() -> None:
    bench = Bench(hits=REPORT)
    bench.models.embedding_failure = UpstreamFailed("The model is away.")
    made = await _summary(bench, "incident-report-2024-11")
    assert made.annotations
    assert made.degraded == ["embeddings_unavailable"]


async def test_a_model_that_is_named_words_it_and_is_named_in_turn() -> None:
    says = "The certificate of the broker had expired without anyone noticing."
    bench = Bench(hits=REPORT, says=says, info=CAPABLE)
    with pytest.raises(ScopeMissing):
        await _summary(bench, "incident-report-2024-11", model="scripted")
    caller = Caller(delegation().model_copy(update={"scopes": ("chat",)}), "token")
    request = SummaryRequest(model="scripted", sentences=1)
    made = await summarise_document(bench.answering, "handbook", "incident-report-2024-11", request, caller, "req_1")
    assert made.content == f"- {says} [1]"
    assert (made.answer_kind, made.model) == ("generated", "scripted")
    with pytest.raises(ModelNotAnswerable):
        request = SummaryRequest(model="none")
        await summarise_document(bench.answering, "handbook", "incident-report-2024-11", request, caller, "req_1")


async def test_a_title_is_as_it_is_in_citations() -> None:
    titled = [one.model_copy(update={"title": f"\u202e![x](//evil.example) {one.title}"}) for one in REPORT]
    made = await _summary(Bench(hits=titled), "incident-report-2024-11")
    assert made.title == made.annotations[0].title
    assert "\u202e" not in made.title
