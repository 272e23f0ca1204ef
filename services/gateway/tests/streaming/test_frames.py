from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.streaming.frames import Frames, data_of, is_done, is_error
from servicekit.streams.sse import MAX_EVENT_BYTES, MalformedStream

STREAM = b'data: {"a": 1}\n\n: keep-alive\n\ndata: x\ndata: y\n\nevent: error\ndata: {}\n\ndata: [DONE]\n\n'


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=8), st.booleans())
def test_frames_are_whole_wherever_the_stream_is_cut(cuts: list[int], crlf: bool) -> None:
    stream = STREAM.replace(b"\n", b"\r\n") if crlf else STREAM
    edges = [0, *sorted(cuts), len(stream)]
    frames = Frames()
    seen = [frame for a, b in itertools.pairwise(edges) for frame in frames.feed(stream[a:b])]
    frames.close()
    assert b"".join(seen) == STREAM
    assert len(seen) == 5
    assert data_of(seen[2]) == b"x\ny"
    assert is_error(seen[3])
    assert is_done(seen[4])


def test_a_stream_that_ends_inside_a_frame_is_malformed() -> None:
    frames = Frames()
    frames.feed(b"data: half")
    with pytest.raises(MalformedStream):
        frames.close()


def test_an_endless_frame_is_refused() -> None:
    frames = Frames()
    with pytest.raises(MalformedStream):
        frames.feed(b"x" * (MAX_EVENT_BYTES + 1))
