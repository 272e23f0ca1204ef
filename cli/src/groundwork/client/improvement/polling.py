"""Waiting for what the server does meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

from groundwork.errors import WaitTimeout

POLL_SECONDS = 1.0


class Running(Protocol):
    """Anything that ends."""

    @property
    def status(self) -> str:
        """What it is now."""
        ...


Ends = TypeVar("Ends", bound=Running)


def wait_for_end(
    get: Callable[[], Ends], final: Collection[str], timeout: float, named: str, progress: Callable[[Ends], str]
) -> Ends:
    """What has ended, however; raises `WaitTimeout`, which says how far it is."""
    until, pause = time.monotonic() + timeout, threading.Event()
    while (found := get()).status not in final:
        if time.monotonic() > until:
            raise WaitTimeout(
                f"{named} has not ended within {timeout:.0f} s: {progress(found)}. It goes on; ask again."
            )
        pause.wait(POLL_SECONDS)
    return found
