"""Calls to a server, a bounded number at once, each tried again while the server says that it is busy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from groundwork.client import ApiError

TRIES = 5
LONGEST_WAIT = 30.0
"""Seconds; a server that is overloaded for longer is given up."""
T = TypeVar("T")


def all_at_once(work: Iterable[Callable[[threading.Event], T]], at_once: int) -> Iterator[T]:
    """What each piece of work gives, as they end. One that raises ends all: those that have not begun are left out, and
    the event that each is given says so to the others."""
    stopping = threading.Event()
    with ThreadPoolExecutor(at_once, thread_name_prefix="eval") as pool:
        calls = [pool.submit(each, stopping) for each in work]
        try:
            for call in as_completed(calls):
                yield call.result()
        finally:
            stopping.set()
            pool.shutdown(wait=True, cancel_futures=True)


def patiently(call: Callable[[], T], stopping: threading.Event) -> T:
    """What a call gives; made again when the server says that it is busy and for how long."""
    for attempt in range(1, TRIES + 1):
        try:
            return call()
        except ApiError as error:
            wait = error.retry_after
            if error.status not in (429, 503) or wait is None or wait > LONGEST_WAIT or attempt == TRIES:
                raise
            if stopping.wait(wait):
                raise
    raise AssertionError("the last try returns or raises")
