from __future__ import annotations

from tests.support.jobs.claim_plan import claim_plan

from agent.tables import RUN_JOBS, metadata


def test_a_claim_does_not_go_through_all_runs_there_ever_were() -> None:
    assert [step for step in claim_plan(metadata, RUN_JOBS, 3) if step.startswith("SCAN")] == [
        "SCAN due USING INDEX runs_live"
    ]
