from __future__ import annotations

from services.lab.tests.tuning.learning import ACME, Bench, a_token


async def test_folders_of_jobs_that_have_ended_or_are_gone_are_deleted(bench: Bench) -> None:
    await bench.save()
    live, ended = await bench.start(), await bench.start()
    tuning = bench.opened.tuning
    for job_id in (live.id, ended.id, "ftjob_gone"):
        (tuning.folders.of(job_id)).mkdir(parents=True)
    await tuning.cancel(ACME, ended.id, a_token)
    await tuning.folders.prune(bench.opened.database)
    assert [each.name for each in (tuning.folders.root / "jobs").iterdir()] == [live.id]
