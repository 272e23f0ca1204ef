from __future__ import annotations

import asyncio
from typing import Any

from servicekit.web.write_coalescing import MOST_HELD, CoalescingTransport


class Wire:
    """A transport that notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return False


def _transport() -> tuple[Wire, CoalescingTransport]:
    wire = Wire()
    return wire, CoalescingTransport(wire, asyncio.get_running_loop())  # type: ignore[arg-type]


async def test_what_is_written_in_one_turn_goes_out_as_one_and_in_order() -> None:
    wire, transport = _transport()
    transport.write(b"head ")
    transport.write(b"body")
    assert wire.done == []
    await asyncio.sleep(0)
    transport.write(b"next")
    await asyncio.sleep(0)
    assert wire.done == [b"head body", b"next"]


async def test_closing_loses_nothing() -> None:
    wire, transport = _transport()
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert wire.done == [b"last words", "closed"]


async def test_a_fast_writer_is_not_held_back_in_memory() -> None:
    wire, transport = _transport()
    for _ in range(10):
        transport.write(b"x" * (MOST_HELD // 2 + 1))
    assert [len(data) for data in wire.done] == [MOST_HELD + 2] * 5


async def test_everything_else_is_the_transports() -> None:
    _, transport = _transport()
    assert transport.is_closing() is False
