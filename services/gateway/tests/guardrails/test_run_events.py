"""What of a request and of an answer is looked at: all of it but references, joined where a model reads it joined."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from services.gateway.tests.guardrails.samples import CARD, MAIL, MASK

from contracts.access.guardrails import Guardrails
from contracts.operations.reach import READS_RUN
from gateway.guardrails.run_events import RunEventScreen
from gateway.guardrails.screen import Screen
from servicekit.streams.sse import encode


def _event(number: int, kind: str, data: dict[str, Any]) -> bytes:
    return encode(json.dumps({"id": number, "type": kind, "step": 1, "data": data}), kind, str(number))


def _read(out: bytes) -> list[tuple[str, str]]:
    """Number and words of each event that went out."""
    frames = [frame.split("\n") for frame in out.decode().split("\n\n") if frame]
    data = [json.loads(line[6:]) for frame in frames for line in frame if line.startswith("data: ")]
    assert [str(one["id"]) for one in data] == [
        line[4:] for frame in frames for line in frame if line.startswith("id: ")
    ]
    return [(str(one["id"]), one["data"].get("text", "")) for one in data]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 14))
async def test_a_runs_events_are_masked_like_their_whole_text_and_can_be_read_on_from_any(
    sizes: list[int], last_seen: int
) -> None:
    text, words = f"Write to {MAIL} or {CARD} today.", []
    for size in sizes:
        words.append(text[sum(map(len, words)) :][:size])
    events = [*(word for word in words if word), text[sum(map(len, words)) :]]
    frames = [_event(at + 1, "token", {"text": word}) for at, word in enumerate(events)]
    frames.append(_event(len(events) + 1, "tool_result", {"content": MAIL}))

    async def read_on(after: int) -> list[bytes]:
        rules = Guardrails.model_validate({"output": {"pii": "redact"}})
        screen = RunEventScreen(Screen(rules, READS_RUN), after)
        return [*[await screen.frame(frame) for frame in frames], screen.last()]

    pieces = await read_on(0)
    assert MAIL.encode() not in b"".join(pieces)
    whole = _read(b"".join(pieces))
    assert [number for number, _ in whole] == [str(at + 1) for at in range(len(frames))]
    assert "".join(said for _, said in whole) == text.replace(MAIL, MASK).replace(CARD, "*" * len(CARD))
    seen = _read(b"".join(pieces[: min(last_seen, len(frames))]))  # the connection breaks off here
    assert [*seen, *_read(b"".join(await read_on(len(seen))))] == whole
    assert _read(b"".join(await read_on(last_seen))) == whole[last_seen:]  # also from one that was never the last
