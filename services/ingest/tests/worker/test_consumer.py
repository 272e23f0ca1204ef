from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from structlog.testing import capture_logs

from ingest.jobs.celery_app import WAKE
from ingest.worker import consumer as consumers
from ingest.worker.consumer import CLIENT, WakeupConsumer


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"groundwork_ingest_{name}", labels) or 0.0


class Broken(WakeupConsumer):
    """Its runs end one after the other: with an error, by themselves, then not before it is stopped."""

    def __init__(self, ring: Callable[[], None] = lambda: None) -> None:
        super().__init__(SecretStr("memory://"), "worker@host:1", ring)
        self.runs: queue.Queue[int] = queue.Queue()
        self._count = 0

    def _run_once(self) -> None:
        self._count += 1
        self.runs.put(self._count)
        if self._count == 1:
            raise ConnectionError("the broker is away")
        if self._count > 2:
            self._ended.wait(60)


def test_a_consumer_that_ends_is_begun_again_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(consumers, "END_SECONDS", 60.0)
    consumer, before = Broken(), figure("consumer_restarts_total")
    with capture_logs() as logs:
        consumer.start()
        assert [consumer.runs.get(timeout=60) for _ in range(3)] == [1, 2, 3]
        consumer.stop()
    assert not consumer._thread.is_alive()
    assert consumer.runs.empty()
    assert figure("consumer_restarts_total") == before + 2
    assert [line["error"] for line in logs] == ["ConnectionError('the broker is away')"]


def test_pauses_grow_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    class Ended(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            if len(pauses) == 9:
                self.set()
            return self.is_set()

    consumer = Broken()
    monkeypatch.setattr(consumer, "_ended", Ended())
    monkeypatch.setattr(consumer, "_run_once", lambda: None)
    consumer._keep_running()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_each_wake_up_is_counted_and_rings() -> None:
    rung: list[str] = []
    consumer, before = Broken(lambda: rung.append("rung")), figure("wakeups_total", outcome="received")
    with capture_logs():
        consumer._app.tasks[WAKE].apply(throw=True)
    assert rung == ["rung"]
    assert figure("wakeups_total", outcome="received") == before + 1


def test_other_hosts_are_found_by_its_name_at_the_broker() -> None:
    assert Broken()._app.conf.broker_transport_options["client_name"] == f"{CLIENT}worker@host:1"
