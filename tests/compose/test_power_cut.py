"""Everything killed at once under load, as a power cut would, and started again: nothing acknowledged is lost."""

from __future__ import annotations

import threading
import time

from tests.support.agent.cited import is_cited
from tests.support.deployment.compose import ComposeStack, report
from tests.support.home.power_load import COLLECTION, PowerLoad

from groundwork.client import Groundwork

MIDDLE_SECONDS = 120.0
JOB_SECONDS = 180.0
RUN_SECONDS = 300.0
ENDS = {"completed", "limit_reached"}
"""How often the small model talks on to its limit of tokens is its own affair; the call that was cut counts, too."""


def test_every_acknowledged_upload_and_run_survives_the_power_cut(stack: ComposeStack, client: Groundwork) -> None:
    load = PowerLoad(client)
    with load.going():
        until, pause = time.monotonic() + MIDDLE_SECONDS, threading.Event()
        while not load.is_in_the_middle():
            assert time.monotonic() < until, (len(load.documents), len(load.runs), load.searches)
            pause.wait(0.1)
        stack.kill_everything()
    up = stack.up()
    for job in load.documents:
        assert client.jobs.wait(job, timeout=JOB_SECONDS).status == "ready"
    found = {document.id for document in client.documents.list(COLLECTION) if document.status == "ready"}
    assert set(load.documents.values()) <= found
    again = 0
    for run in load.runs:
        events = list(client.runs.events(run.thread_id, run.id, timeout=RUN_SECONDS))
        assert [event.id for event in events] == list(range(1, len(events) + 1))
        assert client.runs.get(run.thread_id, run.id).status in ENDS
        again += any(event.type == "run.restarted" for event in events)
    assert again, "a run was under way when the power failed"
    assert is_cited(client)
    report(
        f"power cut: {len(load.documents)} uploads and {len(load.runs)} runs were acknowledged, all are done after it; "
        f"{again} runs were taken up in their middle; up again in {up:.0f} s"
    )
