"""Recorded answers, as tests of monitors write them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.gateway.tests.records.recordings import Roomy, recording
from sqlalchemy import insert

from gateway.records.content import rows_of
from gateway.storage.tables import record_measures, records
from servicekit.sql.database import Database


async def record_answers(database: Database, at: datetime, count: int, name: str, **facts: Any) -> None:
    """So many, `chatcmpl_NAME0` and on."""
    made = [rows_of(recording(Roomy(), f"chatcmpl_{name}{number}", at, **facts)) for number in range(count)]
    async with database.write() as connection:
        await connection.execute(insert(records), [row for row, _, _ in made])
        await connection.execute(insert(record_measures), [measures for _, _, measures in made])


def told(*, grounded: bool = True, abstained: bool = False) -> dict[str, Any]:
    """The report of an answer from documents."""
    return {"grounded": grounded, "abstained": abstained, "answer_kind": "generated", "collections": ["a"]}
