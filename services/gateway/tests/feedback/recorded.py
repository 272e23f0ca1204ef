"""Answers on record, for tests of what is said of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from contracts.models.citations import Annotation, UrlCitation
from gateway.feedback.answers import RecordedAnswer

AT = datetime(2026, 1, 1, tzinfo=UTC)


def citation(document_id: str, collection: str = "hb", chunk_id: str = "c1") -> Annotation:
    url = UrlCitation(start_index=0, end_index=3, url="http://x", title="T")
    return Annotation(
        url_citation=url, index=0, marker="[1]", collection=collection, document_id=document_id, revision=1,
        chunk_id=chunk_id, title="T", source="s", quote="Twenty days.", start=0, end=12, score=0.9,
    )  # fmt: skip


def recorded(answer_id: str, question: str = "How many days?", *cited: str, **more: Any) -> RecordedAnswer:
    """An answer from the collection `hb` that cites these documents."""
    given: dict[str, Any] = {
        "key_id": "key_other",
        "messages": [{"role": "user", "content": question}],
        "answer": f"Answer {answer_id}.",
        "created_at": AT,
        "citations": [citation(document_id) for document_id in cited],
        "model": "rag:hb",
        "prompt": "answer@3",
        "collections": ("hb",),
        **more,
    }
    return RecordedAnswer(id=answer_id, **given)
