"""Screens a run's events while they stream: the words of a step as one text, all other events whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gateway.guardrails.screen import Screen, encoded
from gateway.streaming.errors import StreamBrokenOff
from servicekit.guards.masks import MASK
from servicekit.streams.sse import END, data_of, is_error
from servicekit.web.json_bodies import off_loop

TOKEN = b"event: token\n"


@dataclass(frozen=True, slots=True)
class _Words:
    """An event with words that are not decided yet."""

    frame: bytes
    event: dict[str, Any]
    words: str


class RunEventScreen:
    """Masks keep lengths, so an event waits until all of its words may go out, and keeps its number and its share.

    Events that share a finding go out together. Who reads on from any event's number never gets the second half alone:
    the events before it are looked at as well, and left out.
    """

    def __init__(self, screen: Screen, after: int = 0) -> None:
        """`after` is the number of the last event that the reader has; the frames are those from the first."""
        self._screen = screen
        self._after = after
        self._mask = screen.new_mask()
        self._waiting: list[_Words] = []
        self._decided = ""

    async def frame(self, frame: bytes) -> bytes:
        """What can go out now; raises `ContentBlocked`."""
        return await off_loop(len(frame), self._frame, frame)

    def last(self) -> bytes:
        """What is left when the stream ends."""
        self._decided += self._mask.end()
        self._note()
        self._mask = self._screen.new_mask()
        return self._ready()

    def _frame(self, frame: bytes) -> bytes:
        if frame.startswith(b":") or is_error(frame):
            return frame if not is_error(frame) else self.last() + frame
        try:
            event = json.loads(data_of(frame))
            words = event["data"]["text"] if TOKEN in frame else None
        except (ValueError, KeyError, TypeError):
            raise StreamBrokenOff from None
        if not isinstance(words, str):
            return self.last() + self._new(frame, self._screen.screened_answer(event))
        before = self.last() if self._waiting and self._waiting[-1].event.get("step") != event.get("step") else b""
        self._waiting.append(_Words(frame, event, words))
        self._decided += self._mask.feed(words)
        self._note()
        return before + self._ready()

    def _ready(self) -> bytes:
        """The events whose words are decided, from the oldest, to one that ends in no finding."""
        ready, at = 0, 0
        for number, one in enumerate(self._waiting, start=1):
            at += len(one.words)
            if at > len(self._decided):
                break
            following = self._waiting[number].words if number < len(self._waiting) else ""
            if not (_is_masked(self._decided[:at], one.words) and _is_masked(self._decided[at:][:1], following[:1])):
                ready = number
        out, self._waiting = self._waiting[:ready], self._waiting[ready:]
        return b"".join(self._masked_frame(one) for one in out)

    def _masked_frame(self, one: _Words) -> bytes:
        words, self._decided = self._decided[: len(one.words)], self._decided[len(one.words) :]
        return self._new(one.frame, {**one.event, "data": {**one.event["data"], "text": words}})

    def _new(self, frame: bytes, event: dict[str, Any]) -> bytes:
        """The frame with other data; nothing if the reader has it."""
        number = event.get("id")
        return b"" if isinstance(number, int) and number <= self._after else _with_data(frame, event)

    def _note(self) -> None:
        found, self._mask.found = self._mask.found, []
        self._screen.note(found)


def _is_masked(decided: str, words: str) -> bool:
    """Whether the last character was masked."""
    return decided[-1:] == MASK and words[-1:] not in ("", MASK)


def _with_data(frame: bytes, event: dict[str, Any]) -> bytes:
    """The frame with other data."""
    head = [line for line in frame.strip(b"\n").split(b"\n") if not line.startswith(b"data:")]
    return b"\n".join((*head, b"data: " + encoded(event))) + END
