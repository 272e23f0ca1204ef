"""The lab is killed while a tuning job judges: its base, what it has learnt, and what is served of that.

Each time what judges is stopped until the lab is gone, so that no kill comes too late. A job whose lab was killed ends
as one whose lab was not: with the same verdicts and figures, paid once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial

import httpx2
import psutil
import pytest
from tests.support.home.stack import RunningHome, running_home
from tests.support.ingest.peers import until

from contracts.improvement.tuning import FINAL_FINE_TUNING_STATUSES, FineTuningJob
from groundwork.errors import ApiError, Unreachable

SECONDS = 900
SETTINGS = {"LAB_EVALUATION_LEASE_SECONDS": "3", "LAB_EVALUATION_POLL_SECONDS": "0.3"}
TOPICS = ("refund", "delivery", "warranty", "invoice", "password", "account", "discount", "repair", "payment", "visit")
ASKS = ("Whom do I ask about my {}?", "Where do I write for a {}?")
LEARNS = {"n_epochs": 2, "batch_size": 4}
OF_A_CLOCK = ("seconds", "tokens_per_second")
"""Figures that no two jobs have alike."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    with running_home(tmp_path_factory.mktemp("chaos") / "home", SETTINGS) as running:
        yield running


def _lab(home: RunningHome) -> psutil.Process:
    return psutil.Process(home.supervisor.processes()["lab"].pid)


def _trainer(home: RunningHome) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        for one in _lab(home).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "lab.training" in one.cmdline():
                    return one
    return None


def _inference(home: RunningHome) -> psutil.Process | None:
    return psutil.Process(home.supervisor.processes()["inference"].pid)


@contextmanager
def _stopped(process: psutil.Process) -> Iterator[None]:
    process.suspend()
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()


def _looks(home: RunningHome, job_id: str, so: Callable[[FineTuningJob], bool]) -> bool:
    """Asked of services that may be away for a moment."""
    with suppress(ApiError, Unreachable):
        return so(home.client.tuning.get(job_id))
    return False


def _has_ended(job: FineTuningJob) -> bool:
    return job.status in FINAL_FINE_TUNING_STATUSES


def _judges_its_base(_: RunningHome, job: FineTuningJob) -> bool:
    return (job.trained_tokens or 0) > 0 and job.groundwork.done == 0


def _judges_what_it_learnt(home: RunningHome, job: FineTuningJob) -> bool:
    """By general questions; the last epoch's checkpoint is told once the held-out ones are read."""
    report = job.groundwork
    return 0 < report.steps == report.done and report.words is None and _last_epoch(home, job.id) == report.steps


def _judges_what_is_served(_: RunningHome, job: FineTuningJob) -> bool:
    return job.groundwork.words is not None and job.groundwork.parity is None


def _last_epoch(home: RunningHome, job_id: str) -> int:
    """Its step, of those that have been judged."""
    path, headers = f"/v1/fine_tuning/jobs/{job_id}/checkpoints", {"Authorization": f"Bearer {home.admin_key}"}
    found = httpx2.get(f"{home.base_url}{path}", headers=headers, timeout=60).json()["data"]
    return max((one["step_number"] for one in found), default=0)


def _kill_while(
    home: RunningHome,
    job_id: str,
    judging: Callable[[RunningHome, FineTuningJob], bool],
    judge: Callable[[RunningHome], psutil.Process | None],
) -> None:
    """kill -9 of the lab while a job judges, which `judge` is needed for."""

    def is_there(job: FineTuningJob) -> bool:
        return judging(home, job) or _has_ended(job)

    until(partial(_looks, home, job_id, is_there), judging.__name__, SECONDS)
    process = judge(home)
    assert process is not None, "it judged so short a time that nobody saw it: have it judge by more questions"
    with _stopped(process):
        assert judging(home, home.client.tuning.get(job_id))
        lab = _lab(home)
        lab.kill()
        psutil.wait_procs([lab], timeout=60)


def _start(home: RunningHome) -> FineTuningJob:
    return home.client.tuning.start("lessons", "smollm2", suffix="support", seed=7, hyperparameters=LEARNS)


def _ended(home: RunningHome, job_id: str) -> FineTuningJob:
    until(partial(_looks, home, job_id, _has_ended), "its end", SECONDS)
    job = home.client.tuning.get(job_id)
    assert (job.status, job.error, job.fine_tuned_model) == ("succeeded", None, "smollm2+support")
    return job


def _charged(home: RunningHome) -> int:
    return sum(row.prompt_tokens for row in home.client.usage(group_by="model") if row.group == "smollm2")


def _what_came(home: RunningHome, job: FineTuningJob) -> dict[str, object]:
    """All that is told of a job's worth."""
    report = job.groundwork
    figures = {name: value for name, value in report.figures.items() if name not in OF_A_CLOCK}
    return {
        "verdict": (report.verdict, report.words),
        "general": report.general,
        "parity": report.parity,
        "figures": figures,
        "tokens": job.trained_tokens,
        "artifact": home.client.tuning.artifact(job.id),
    }


def _declared(home: RunningHome) -> list[str]:
    """The models that inference has beside those of its file, also those that nobody sees."""
    (file,) = home.home.root.rglob("inference.sqlite")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM models")]


def test_a_job_whose_lab_is_killed_while_it_judges_ends_with_the_same_figures_and_is_charged_once(
    home: RunningHome,
) -> None:
    lines = [
        {"question": ask.format(topic), "answers": [f"Write to {topic}@support.example."]}
        for topic in TOPICS
        for ask in ASKS
    ]
    home.client.question_sets.save("lessons", lines)
    before = _charged(home)
    whole = _ended(home, _start(home).id)
    killed = _start(home)
    _kill_while(home, killed.id, _judges_its_base, _trainer)
    _kill_while(home, killed.id, _judges_what_it_learnt, _trainer)
    _kill_while(home, killed.id, _judges_what_is_served, _inference)
    job = _ended(home, killed.id)
    assert _what_came(home, job) == _what_came(home, whole)
    said = [event.message for event in home.client.tuning.events(job.id)]
    for once in ("Of the tuned model against the one before: ", "The same on the general set: ", "Of the served model"):
        assert len([one for one in said if one.startswith(once)]) == 1, said
    assert f"It goes on after step {job.groundwork.steps}." in said, "what was learnt is judged, not learnt again"
    assert _declared(home) == ["smollm2+support"], "no candidate of a lab that was killed is left"
    owed = sum(one.trained_tokens or 0 for one in (whole, job))
    until(lambda: _charged(home) - before >= owed, "the ledger has them", SECONDS)
    assert _charged(home) - before == owed
