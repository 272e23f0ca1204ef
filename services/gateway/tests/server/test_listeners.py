from __future__ import annotations

import asyncio
import resource
import signal
import socket

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from gateway.server.listeners import FILES_A_CALL, MOST_FILES, OTHER_FILES, Listener, raise_file_limit, serve_all


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nobody calls")


class Quiet(Listener):
    """Serves nobody; notes when it begins and ends, and what its port is to be."""

    def __init__(self, name: str, notes: list[str], fails: Exception | None = None, seconds: int = 5) -> None:
        self._stop = asyncio.Event()
        super().__init__(uvicorn.Config(_app, timeout_graceful_shutdown=seconds))
        self._name, self._notes, self._fails = name, notes, fails

    @property
    def should_exit(self) -> bool:
        return self._stop.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self._stop.set()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._notes.append(f"{self._name} begins")
        if self._fails is None:
            await self._stop.wait()
            await asyncio.sleep(0)  # what runs is finished
        self._notes.append(f"{self._name} ends")
        if self._fails is not None:
            raise self._fails


async def test_all_begin_together_and_end_in_order_each_when_the_one_before_is_done() -> None:
    notes: list[str] = []
    last = Quiet("metrics", notes)
    serving = asyncio.create_task(serve_all([Quiet("public", notes), Quiet("plane", notes), last]))
    while len(notes) < 3:  # noqa: ASYNC110  # all of them begin in the next turns
        await asyncio.sleep(0)
    last.should_exit = True  # one that ends by itself ends all
    await serving
    assert notes[:3] == ["public begins", "plane begins", "metrics begins"]
    assert [note for note in notes[3:] if "metrics" not in note] == ["public ends", "plane ends"]


async def test_a_listener_that_can_not_serve_ends_all_and_its_error_is_told() -> None:
    notes: list[str] = []
    with pytest.raises(OSError, match="in use"):
        await serve_all([Quiet("public", notes), Quiet("plane", notes, OSError("address in use"))])
    assert notes[-1] == "public ends"
    loop = asyncio.get_running_loop()
    assert not loop.remove_signal_handler(signal.SIGTERM), "signals are the process's own again"


async def test_those_that_end_later_have_what_is_left_of_the_time_and_at_least_a_second() -> None:
    notes: list[str] = []
    first, second = Quiet("public", notes, seconds=0), Quiet("plane", notes, OSError("in use"), seconds=0)
    with pytest.raises(OSError, match="in use"):
        await serve_all([first, second])
    assert first.config.timeout_graceful_shutdown == second.config.timeout_graceful_shutdown == 1


class Limits:
    """What the system says of open files, and what it was told."""

    def __init__(self, soft: int, hard: int) -> None:
        self.soft, self.hard = soft, hard

    def get(self, _: int) -> tuple[int, int]:
        return self.soft, self.hard

    def set(self, _: int, limits: tuple[int, int]) -> None:
        self.soft, self.hard = limits


NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "warned"),
    [
        (1024, 100_000, MOST_FILES, False),
        (1024, NONE, MOST_FILES, False),
        (1024, 2048, 2048, True),
        (2048, 2048, 2048, True),
        (90_000, 100_000, 90_000, False),
        (NONE, NONE, NONE, False),
    ],
)
def test_as_many_files_are_open_as_may_be_and_too_few_are_told(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, allowed: int, warned: bool
) -> None:
    limits = Limits(soft, hard)
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    monkeypatch.setattr(resource, "setrlimit", limits.set)
    with capture_logs() as lines:
        raise_file_limit(1000)
    assert (limits.soft, limits.hard) == (allowed, hard)
    told = [(line["allowed"], line["needed"]) for line in lines]
    assert told == ([(allowed, FILES_A_CALL * 1000 + OTHER_FILES)] if warned else [])
