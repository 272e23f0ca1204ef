from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway
from structlog.testing import capture_logs

from ingest.jobs import celery_notifier
from ingest.jobs.celery_notifier import CeleryNotifier
from servicekit.core.probes import Degraded


class Broker:
    """Where wake-ups go; fails where a test says so, and holds each until it may go."""

    def __init__(self) -> None:
        self.sent: queue.Queue[tuple[str, str, Any]] = queue.Queue()
        self.failure: Exception | None = None
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Semaphore(0)

    def send(self, _: Celery, job_id: str, request_id: str) -> None:
        self.began.release()
        assert self.go.wait(60)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        self.sent.put((job_id, request_id, structlog.contextvars.get_contextvars().get("about")))


class Pinged:
    """Stands where Redis is."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    async def ping(self) -> None:
        if self.failure is not None:
            raise self.failure


Make = Callable[..., CeleryNotifier]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(celery_notifier, "send_wake", broker.send)
    return broker


@pytest.fixture
def make(broker: Broker) -> Iterator[Make]:
    made: list[CeleryNotifier] = []

    def make(failure: Exception | None = None) -> CeleryNotifier:
        made.append(CeleryNotifier(cast("Celery", None), cast("Redis", Pinged(failure))))
        return made[-1]

    yield make
    broker.go.set()
    for notifier in made:
        notifier.close()


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("groundwork_ingest_wakeups_total", {"outcome": outcome}) or 0.0


def test_wake_ups_go_in_order_each_in_the_context_of_its_call(broker: Broker, make: Make) -> None:
    notifier, before = make(), counted("sent")
    for number in range(3):
        with structlog.contextvars.bound_contextvars(about=number):
            notifier.notify(f"job_{number}", f"req_{number}")
    assert [broker.sent.get(timeout=60) for _ in range(3)] == [(f"job_{n}", f"req_{n}", n) for n in range(3)]
    notifier.close()
    assert counted("sent") == before + 3


@pytest.mark.parametrize("failure", [OperationalError("away"), RedisAway("away"), OSError("away")])
def test_one_that_fails_is_counted_and_the_next_goes_all_the_same(
    broker: Broker, make: Make, failure: Exception
) -> None:
    notifier, before = make(), counted("failed")
    broker.failure = failure
    with capture_logs() as logs:
        notifier.notify("job_1", "req_1")
        notifier.notify("job_2", "req_2")
        assert broker.sent.get(timeout=60)[0] == "job_2"
        notifier.close()
    assert counted("failed") == before + 1
    assert [line["job_id"] for line in logs if line["event"] == "wake-up not sent"] == ["job_1"]


def test_too_many_that_wait_are_dropped_and_no_caller_waits(
    broker: Broker, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_notifier, "WAITING", 2)
    broker.go.clear()
    notifier, before = make(), counted("dropped")
    notifier.notify("job_0", "r")
    assert broker.began.acquire(timeout=60), "the first is on its way, and waits no more"
    for number in range(1, 5):
        notifier.notify(f"job_{number}", "r")
    assert counted("dropped") == before + 2
    broker.go.set()
    assert [broker.sent.get(timeout=60)[0] for _ in range(3)] == ["job_0", "job_1", "job_2"]


def test_what_waits_when_the_process_ends_is_sent(broker: Broker, make: Make) -> None:
    broker.go.clear()
    notifier = make()
    notifier.notify("job_1", "r")
    broker.go.set()
    notifier.close()
    assert broker.sent.get_nowait()[0] == "job_1"


@pytest.mark.parametrize("failure", [RedisAway("away"), OSError("away")])
async def test_without_redis_the_service_is_ready_and_says_what_is_slower(make: Make, failure: Exception) -> None:
    await make().probe()
    with pytest.raises(Degraded, match="workers find new jobs by themselves"):
        await make(failure).probe()
