from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.core.errors import Internal
from servicekit.streams import sse

LINES = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r"), max_size=40)


async def _pieces(stream: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(stream), size):
        yield stream[start : start + size]


@given(st.lists(LINES.filter(lambda data: bool(data)), min_size=1, max_size=6), st.integers(1, 7))
async def test_events_survive_any_cut_of_the_stream(payloads: list[str], size: int) -> None:
    stream = b"".join(sse.encode(payload) for payload in payloads)
    assert [event.data async for event in sse.decode(_pieces(stream, size))] == payloads


@given(st.integers(1, 5))
async def test_events_with_windows_line_ends_are_read(size: int) -> None:
    stream = b"event: error\r\nid: 7\r\ndata: a\r\ndata: b\r\n\r\n"
    assert [event async for event in sse.decode(_pieces(stream, size))] == [sse.Event("a\nb", "error", "7")]


async def _read(stream: bytes, size: int) -> list[sse.Event | str]:
    """The events, and how it ended if not well."""
    found: list[sse.Event | str] = []
    try:
        async for event in sse.decode(_pieces(stream, size)):
            found.append(event)  # noqa: PERF401  # what came before an error counts
    except sse.MalformedStream as error:
        found.append(str(error))
    return found


@given(
    st.lists(st.sampled_from([b"data", b": a", b"id", b":", b"\r", b"\n", b"\r\n", b"\n\n", b"\xff", b"\x00"])),
    st.integers(1, 9),
)
async def test_whatever_an_upstream_sends_is_read_the_same_in_any_pieces(parts: list[bytes], size: int) -> None:
    stream = b"".join(parts)
    assert await _read(stream, size) == await _read(stream, max(1, len(stream)))


async def test_a_stream_that_breaks_off_inside_an_event_is_not_a_normal_end() -> None:
    with pytest.raises(sse.MalformedStream):
        [event async for event in sse.decode(_pieces(b"data: whole\n\ndata: ha", 4))]


async def test_a_stream_without_boundaries_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 64)
    with pytest.raises(sse.MalformedStream):
        [event async for event in sse.decode(_pieces(b"data: " + b"x" * 500, 32))]


def test_an_error_event_carries_the_envelope() -> None:
    assert sse.encode_error(Internal("broken"), "req_1").startswith(b'event: error\ndata: {"error":{"type":"internal"')
