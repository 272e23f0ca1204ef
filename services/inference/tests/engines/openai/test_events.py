from __future__ import annotations

import pytest

from inference.engines.openai.events import Event, EventReader
from servicekit.streams import sse
from servicekit.streams.sse import MalformedStream

STREAM = (
    b": comment\n\n"
    b'data: {"a": 1}\n\n'
    b'data:{"b": 2}\r\n\r\n'
    b"retry: 100\n\n"
    b'event: error\ndata: {"c": 3}\n\n'
    b'error: {"d": 4}\n\n'
    b"id: 7\ndata: one\ndata: two\n\n"
    b"data: [DONE]"
)
EVENTS = [
    Event(b'{"a": 1}'),
    Event(b'{"b": 2}'),
    Event(b'{"c": 3}', failed=True),
    Event(b'{"d": 4}', failed=True),
    Event(b"one\ntwo"),
    Event(b"[DONE]"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_whatever_the_boundaries_of_the_pieces(size: int) -> None:
    reader = EventReader()
    found = [event for at in range(0, len(STREAM), size) for event in reader.feed(STREAM[at : at + size])]
    assert found + reader.close() == EVENTS
    assert reader.close() == []


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    reader = EventReader()
    with pytest.raises(MalformedStream):
        for _ in range(20):
            reader.feed(b"data: xxx")
