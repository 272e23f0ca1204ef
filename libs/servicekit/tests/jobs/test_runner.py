"""What becomes of jobs, on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span as RecordedSpan
from opentelemetry.sdk.trace import TracerProvider
from structlog.testing import capture_logs
from tests.support.jobs.kind import CountingBench, empty_database
from tests.support.jobs.work_conformance import Outcomes, away, raising

from servicekit.core.clock import ManualClock
from servicekit.jobs.leased_job import LeasedJob
from servicekit.jobs.outcomes import GivingWay, RetryPolicy
from servicekit.sql.database import Database
from servicekit.telemetry.spans import Span


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_database(None, tmp_path) as database:
        yield database


class TestOutcomes(Outcomes):
    """As on any database."""


async def test_the_span_of_an_attempt_names_the_error_that_broke_it_off(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[RecordedSpan] = []

    def span(_: LeasedJob) -> Span:
        begun = TracerProvider().get_tracer("test").start_span("job")
        assert isinstance(begun, RecordedSpan)
        recorded.append(begun)
        return Span(begun)

    bench = CountingBench(database, ManualClock(), raising(GivingWay(), away()))
    monkeypatch.setattr(bench.kind, "span", span)
    await bench.add()
    for _ in range(2):
        await bench.work()
    assert [dict(each.attributes or {}) for each in recorded] == [{}, {"error.type": "retriever_unreachable"}]
    assert [each.status.is_ok for each in recorded] == [True, False]


@pytest.mark.parametrize(("error", "traced"), [(RuntimeError("a bug"), True), (away(), False)])
async def test_what_no_kind_expects_is_logged_with_where_it_arose_also_at_the_last_attempt(
    database: Database, error: Exception, traced: bool
) -> None:
    bench = CountingBench(database, ManualClock(), raising(error))
    bench.kind.retry = RetryPolicy(max_attempts=1, max_wait=3600.0)
    await bench.add()
    with capture_logs() as logs:
        await bench.work()
    assert [line.get("exc_info") for line in logs if line["log_level"] == "error"] == ([error] if traced else [])
