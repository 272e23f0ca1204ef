"""How SQLite finds the job to claim: by indexes of live jobs, however many ended ones there are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, MetaData, create_engine, event

from servicekit.jobs.fairness import next_job
from servicekit.jobs.tables import JobTable


def claim_plan(metadata: MetaData, jobs: JobTable, tenant_slots: int | None = None) -> list[str]:
    """The steps of the query's plan over empty tables, as SQLite words them."""
    executed: list[tuple[str, Any]] = []

    def note(_: Connection, __: Any, statement: str, values: Any, *___: Any) -> None:
        executed.append((statement, values))

    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as connection:
        event.listen(engine, "before_cursor_execute", note)
        connection.execute(next_job(jobs, tenant_slots), {"now": datetime.now(UTC), "owner": "worker"})
        statement, values = executed[-1]
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    engine.dispose()
    return [step[-1] for step in steps]
