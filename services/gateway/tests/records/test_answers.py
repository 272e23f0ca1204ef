from __future__ import annotations

import json
from typing import Any

import pytest
from services.gateway.tests.installation import Installation
from services.gateway.tests.records.recordings import Roomy, recording
from sqlalchemy import insert

from contracts.improvement.feedback import FeedbackCreate
from gateway.feedback.answers import RecordedAnswer
from gateway.feedback.errors import CitationMissing
from gateway.feedback.export import FeedbackExport
from gateway.records.answers import RecordedAnswers
from gateway.records.content import rows_of
from gateway.records.repository import RecordRepository
from gateway.storage.tables import record_documents, records
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

ID = "chatcmpl_1"
CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
SOURCE = {"collection": "a", "document_id": "d1", "revision": 1, "chunk_id": "c1", "text": "t"}


async def _recorded(database: Database, clock: ManualClock, **more: Any) -> RecordedAnswer:
    row, documents, _ = rows_of(recording(Roomy(), ID, clock.now(), **{"sources": [SOURCE], **more}))
    async with database.write() as connection:
        await connection.execute(insert(records), [row])
        await connection.execute(insert(record_documents), documents)
    return (await RecordedAnswers(RecordRepository(database, clock)).get_answers("acme", [ID]))[ID]


@pytest.mark.parametrize(
    ("facts", "whole"),
    [
        ({}, True),
        ({"report": {"abstained": True}}, True),
        ({"truncated": True}, False),
        ({"question": "x" * 60_000}, False),
        ({"error_type": "upstream_error", "status": 502}, False),
        ({"error_type": "client_disconnected", "status": 499}, False),
        ({"finish_reason": "length"}, False),
        ({"finish_reason": "content_filter"}, False),
        ({"finish_reason": "stop"}, True),
        ({"answer": ""}, False),
        ({"answer": "I look.", "tool_calls": [CALL]}, False),
    ],
)
async def test_an_answer_is_one_to_learn_from_only_where_it_is_whole_and_in_words(
    database: Database, clock: ManualClock, facts: dict[str, Any], whole: bool
) -> None:
    assert (await _recorded(database, clock, **facts)).has_words is whole


async def test_an_answer_recorded_without_words_is_on_record_for_feedback_and_in_no_export(
    installation: Installation, clock: ManualClock
) -> None:
    deps = installation.deps
    answer = await _recorded(deps.database, clock, mode="metadata", model="rag:a", user="jo")
    assert (answer.has_words, answer.question, answer.sources) == (False, "", frozenset({("a", "d1")}))
    installation.answers.put("acme", answer)
    key = await installation.principal(tenant="acme")
    for part in (None, {"citation": 3}):
        wanted = FeedbackCreate.model_validate({"answer_id": ID, "rating": "down", "part": part})
        given, _ = await deps.feedback.give(key, wanted)
        assert (given.recorded, given.model, given.collections) == (True, "rag:a", ["a"])
    exported = FeedbackExport(deps.database, deps.feedback).lines("acme", "kto", None, 10)
    assert [line async for line in exported] == []


async def test_an_agents_answer_is_judged_by_the_passages_that_it_was_made_from(
    installation: Installation, clock: ManualClock
) -> None:
    other = {**SOURCE, "document_id": "d2", "chunk_id": "c2"}
    answer = await _recorded(installation.deps.database, clock, model="agent:helper", sources=[SOURCE, other])
    installation.answers.put("acme", answer)
    key = await installation.principal(tenant="acme")

    async def exported(**said: Any) -> dict[str, Any]:
        wanted = FeedbackCreate.model_validate({"answer_id": ID, **said})
        await installation.deps.feedback.give(key, wanted)
        lines = FeedbackExport(installation.deps.database, installation.deps.feedback)
        (line,) = [json.loads(line) async for line in lines.lines("acme", "questions", None, 10)]
        return {"documents": line["documents"], **line["metadata"]}

    liked = await exported(rating="up")
    assert (liked["documents"], liked["hard_negatives"], liked["collections"]) == ([], [], ["a"]), "of two, which?"
    told = await exported(part={"citation": 1}, labels=["wrong_source"])
    assert (told["documents"], told["hard_negatives"]) == (["d1"], ["d2"])
    beyond = FeedbackCreate.model_validate({"answer_id": ID, "rating": "down", "part": {"citation": 2}})
    with pytest.raises(CitationMissing):
        await installation.deps.feedback.give(key, beyond)
