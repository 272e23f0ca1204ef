"""A worker that no longer works is seen by itself."""

from __future__ import annotations

import threading

from ingest.worker.watchdog import STUCK, Watchdog


def test_a_worker_that_hangs_ends_itself_with_a_status_of_its_own() -> None:
    ended, statuses = threading.Event(), list[int]()

    def end(status: int) -> None:
        statuses.append(status)
        ended.set()

    watchdog = Watchdog(lambda: 0.2, 0.1, end)
    watchdog.start()
    assert ended.wait(60)
    assert statuses == [STUCK]


def test_a_worker_that_works_is_left_alone() -> None:
    looks, ended = threading.Semaphore(0), list[int]()

    def silent() -> float:
        looks.release()
        return 0.01

    watchdog = Watchdog(silent, 0.1, ended.append)
    watchdog.start()
    for _ in range(5):
        assert looks.acquire(timeout=60)
    watchdog.stop()
    assert ended == []
