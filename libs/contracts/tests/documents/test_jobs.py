from __future__ import annotations

from typing import Any, get_args

import pytest
from libs.contracts.tests.documents.shown import SHOWN
from libs.contracts.tests.refusals import refused_field

from contracts.documents.jobs import FINAL_JOB_STATUSES, Accepted, Job, JobStatus

JOB: dict[str, Any] = {
    "id": "job_1",
    "document_id": "a",
    "collection": "handbook",
    "status": "queued",
    "stage": "queued",
    "created_at": "2026-01-01T00:00:00Z",
}


def test_a_job_ends_in_one_way_and_whatever_is_no_end_may_go_on() -> None:
    assert set(get_args(JobStatus)) - FINAL_JOB_STATUSES == {"queued", "running"}


@pytest.mark.parametrize("progress", [-0.01, 1.01])
def test_progress_is_a_share_of_the_whole(progress: float) -> None:
    assert refused_field(Job, {**JOB, "progress": progress}) == "progress"
    assert [Job.model_validate({**JOB, "progress": share}).progress for share in (0, 0.5, 1)] == [0, 0.5, 1]


def test_a_new_job_is_a_document_s_and_knows_nothing_yet_of_its_end() -> None:
    job = Job.model_validate(JOB)
    assert (job.kind, job.progress, job.attempts) == ("document", 0.0, 0)
    assert (job.pages_total, job.eta_seconds, job.error, job.finished_at) == (None, None, None, None)


def test_a_kind_or_status_that_nobody_knows_is_not_shown_as_another() -> None:
    for field in ("kind", "status", "stage"):
        assert refused_field(Job, {**JOB, field: "dreaming"}) == field


def test_an_unchanged_document_has_no_job_and_says_what_it_keeps() -> None:
    told = Accepted.model_validate({"document": SHOWN, "unchanged": True, "warnings": ["It keeps its title."]})
    assert (told.job, told.unchanged, told.warnings) == (None, True, ["It keeps its title."])
    assert Accepted.model_validate({"document": SHOWN, "job": JOB}).warnings == []
