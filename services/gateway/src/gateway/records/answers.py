"""Records as feedback knows answers: an `AnswerSource`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from contracts.access.records import AnswerRecord
from contracts.models.catalog import AGENT
from contracts.models.citations import Annotation
from gateway.feedback.answers import RecordedAnswer
from gateway.records.repository import RecordRepository

DIGITS = 8
"""Of a digest, which tell it from others."""
CUT = ("length", "content_filter")
"""Why an answer finished that would have gone on."""


class RecordedAnswers:
    """Answers that were recorded, with their words or without."""

    def __init__(self, records: RecordRepository) -> None:
        self._records = records

    async def get_answers(self, tenant: str, answer_ids: Sequence[str]) -> Mapping[str, RecordedAnswer]:
        """Those of the tenant's answers that are on record. One without words, that is not whole, or that quotes a
        document which was deleted since, says that it has no words."""
        found = await self._records.get_records(tenant, answer_ids)
        withheld = await self._records.quoting_deleted([record.id for record in found if record.hits])
        return {record.id: _answer_of(record, is_withheld=record.id in withheld) for record in found}

    async def get_questions(self, tenant: str, answer_ids: Sequence[str], characters: int) -> Mapping[str, str]:
        """How the questions of those begin that are on record with their words; nothing else of them is read."""
        return await self._records.get_questions(tenant, answer_ids, characters)


def _answer_of(record: AnswerRecord, *, is_withheld: bool) -> RecordedAnswer:
    return RecordedAnswer(
        id=record.id,
        key_id=record.key_id,
        messages=record.messages or ([{"role": "user", "content": record.question}] if record.question else []),
        prompt_messages=record.prompt_messages or (),
        variables=_variables(record),
        answer=record.answer or "",
        created_at=record.at,
        citations=[citation for given in record.annotations or () if (citation := _citation(given)) is not None],
        sources=frozenset((hit.collection, hit.document_id) for hit in record.hits),
        passages=record.hits if record.model.startswith(AGENT) else (),
        hits=record.hits,
        model=record.model,
        prompt=record.prompt,
        version=_version(record),
        collections=record.collections,
        abstained=record.abstained,
        has_words=_is_whole(record) and not is_withheld,
    )


def _version(record: AnswerRecord) -> str:
    """By what a record of any mode has."""
    agent = (record.report or {}).get("agent_version")
    model = record.answered_by if record.answered_by != record.model else None
    files = (record.model_digest or "").removeprefix("sha256:")
    parts = (
        record.variant,
        f"{AGENT}@{agent}" if agent is not None else None,
        record.prompt,
        (record.receipt or {}).get("instructions"),
        " ".join(filter(None, (model, files[:DIGITS], record.adapter))),
    )
    return ", ".join(dict.fromkeys(str(part) for part in parts if part))


def _variables(record: AnswerRecord) -> Mapping[str, Any]:
    options = record.parameters.get("groundwork")
    values = options.get("variables") if isinstance(options, dict) else None
    return values if isinstance(values, dict) else {}


def _is_whole(record: AnswerRecord) -> bool:
    """Whether question and answer are there to the end, and the answer is one in words."""
    broken_off = record.truncated or record.error_type is not None  # a caller that left is an error, too
    broken_off = broken_off or record.finish_reason in CUT
    return bool(record.answer) and not broken_off and not record.tool_calls


def _citation(given: Mapping[str, object]) -> Annotation | None:
    try:
        return Annotation.model_validate(given)
    except ValidationError:
        return None  # a page of the web, as hosted models cite it
