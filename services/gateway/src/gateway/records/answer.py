"""One answer read from the pieces that went out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from servicekit.streams.chunks import object_in
from servicekit.streams.sse import data_of, is_done, is_error


@dataclass(slots=True)
class Answer:
    """The first choice of an answer, and its report. What was cut off is as far as it came."""

    id: str = ""
    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


def answer_in(frames: Sequence[bytes], *, streamed: bool) -> Answer:
    """A chat's answer: the frames of a stream, or the pieces of a whole one."""
    answer, texts, thoughts = Answer(), [], []
    for chunk in _chunks(frames, streamed):
        if isinstance(chunk.get("id"), str) and not answer.id:
            answer.id = chunk["id"]
        if isinstance(chunk.get("groundwork"), dict):
            answer.report = chunk["groundwork"]
        for choice in _dicts(chunk.get("choices")):
            if choice.get("index", 0) != 0:
                continue
            said = choice.get("delta") or choice.get("message")
            said = said if isinstance(said, dict) else {}
            texts.append(_text(said, "content") or _text(said, "refusal"))
            thoughts.append(_text(said, "reasoning_content") or _text(said, "reasoning"))
            answer.annotations += _dicts(said.get("annotations"))
            _add_calls(answer.tool_calls, _dicts(said.get("tool_calls")))
            answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
    answer.text, answer.reasoning = "".join(texts), "".join(thoughts)
    return answer


def _chunks(frames: Sequence[bytes], streamed: bool) -> Iterator[dict[str, Any]]:
    if not streamed:
        yield object_in(b"".join(frames))
        return
    for frame in b"".join(frames).split(b"\n\n"):
        if frame and not frame.startswith(b":") and not is_done(frame) and not is_error(frame):
            yield object_in(data_of(frame))


def _add_calls(calls: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    """Parts of calls of tools, which come in pieces."""
    for number, part in enumerate(new):
        at = part.get("index", number)
        given = part.get("function")
        function: dict[str, Any] = given if isinstance(given, dict) else {}
        known = next((call for call in calls if call["index"] == at), None)
        if known is None:
            known = {"index": at, "id": part.get("id"), "name": "", "arguments": ""}
            calls.append(known)
        known["name"] += _text(function, "name")
        known["arguments"] += _text(function, "arguments")


def _text(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
