"""Records as feedback knows answers: an `AnswerSource`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from contracts.access.records import AnswerRecord
from contracts.models.citations import Annotation
from gateway.feedback.answers import RecordedAnswer
from gateway.records.repository import RecordRepository


class RecordedAnswers:
    """Answers that were recorded, with their words or without."""

    def __init__(self, records: RecordRepository) -> None:
        self._records = records

    async def get_answers(self, tenant: str, answer_ids: Sequence[str]) -> Mapping[str, RecordedAnswer]:
        """Those of the tenant's answers that are on record; what is without words, or not whole, says so."""
        found = await self._records.get_records(tenant, answer_ids)
        return {record.id: _answer_of(record) for record in found}


def _answer_of(record: AnswerRecord) -> RecordedAnswer:
    return RecordedAnswer(
        id=record.id,
        key_id=record.key_id,
        messages=record.messages or ([{"role": "user", "content": record.question}] if record.question else []),
        answer=record.answer or "",
        created_at=record.at,
        citations=[citation for given in record.annotations or () if (citation := _citation(given)) is not None],
        sources=frozenset((hit.collection, hit.document_id) for hit in record.hits),
        model=record.model,
        prompt=record.prompt,
        collections=record.collections,
        abstained=record.abstained,
        has_words=_is_whole(record),
    )


def _is_whole(record: AnswerRecord) -> bool:
    """Whether question and answer are there to the end, and the answer is one in words."""
    broken_off = record.truncated or record.error_type is not None  # a caller that left is an error, too
    return bool(record.answer) and not broken_off and not record.tool_calls


def _citation(given: Mapping[str, object]) -> Annotation | None:
    try:
        return Annotation.model_validate(given)
    except ValidationError:
        return None  # a page of the web, as hosted models cite it
