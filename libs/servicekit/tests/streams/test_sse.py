from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.core.errors import Internal
from servicekit.streams import sse
from servicekit.streams.sse import FrameCutter, MalformedStream, data_of, is_done, is_error

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


STREAM = b'data: {"a": 1}\n\n: keep-alive\n\ndata: x\ndata: y\n\nevent: error\ndata: {}\n\ndata: [DONE]\n\n'


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=8), st.booleans())
def test_frames_are_whole_wherever_the_stream_is_cut(cuts: list[int], crlf: bool) -> None:
    stream = STREAM.replace(b"\n", b"\r\n") if crlf else STREAM
    edges = [0, *sorted(cuts), len(stream)]
    frames = FrameCutter()
    seen = [frame for a, b in itertools.pairwise(edges) for frame in frames.feed(stream[a:b])]
    frames.close()
    assert b"".join(seen) == STREAM
    assert len(seen) == 5
    assert data_of(seen[2]) == b"x\ny"
    assert is_error(seen[3])
    assert is_done(seen[4])


def test_a_stream_that_ends_inside_a_frame_is_malformed() -> None:
    frames = FrameCutter()
    frames.feed(b"data: half")
    with pytest.raises(MalformedStream):
        frames.close()


def test_an_endless_frame_is_refused() -> None:
    frames = FrameCutter()
    with pytest.raises(MalformedStream):
        frames.feed(b"x" * (sse.MAX_EVENT_BYTES + 1))
