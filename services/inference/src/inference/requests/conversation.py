"""Conversations as models that know text alone read them: a role and a text for each message."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from contracts.models.chat import Message
from servicekit.core.errors import InvalidRequest


class ContentUnsupported(InvalidRequest):
    """A message holds something other than text."""

    code = "content_unsupported"

    def __init__(self, number: int, kind: str) -> None:
        super().__init__(
            f"This model reads text only; message {number} holds a part of type '{kind[:64]}'.",
            param=f"messages.{number}.content",
        )


class MalformedToolCall(InvalidRequest):
    """A tool call in the history is none."""

    def __init__(self, number: int) -> None:
        super().__init__(
            'A tool call is {"id": ..., "type": "function", "function": {"name": ..., "arguments": ...}}.',
            param=f"messages.{number}.tool_calls",
        )


def render(messages: Sequence[Message], instruction: str | None = None) -> tuple[dict[str, str], ...]:
    """The conversation in text, tool calls and their results too; the instruction ends the system message."""
    names = {}
    for number, message in enumerate(messages):
        names.update({call["id"]: call["function"]["name"] for call in calls_in(number, message)})
    rendered = [_plain(number, message, names) for number, message in enumerate(messages)]
    if instruction is not None:
        if rendered[0]["role"] == "system":
            rendered[0] = {"role": "system", "content": f"{rendered[0]['content']}\n\n{instruction}"}
        else:
            rendered.insert(0, {"role": "system", "content": instruction})
    return tuple(_joined(rendered))


def calls_in(number: int, message: Message) -> list[dict[str, Any]]:
    """The tool calls of a message of the history; raises 400 where they are none."""
    calls: Any = (message.model_extra or {}).get("tool_calls") or []
    if not isinstance(calls, list):
        raise MalformedToolCall(number)
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not all(
            isinstance(value, str) for value in (call.get("id"), function.get("name"), function.get("arguments"))
        ):
            raise MalformedToolCall(number)
    return calls


def _plain(number: int, message: Message, names: dict[str, str]) -> dict[str, str]:
    if isinstance(message.content, list):
        for part in message.content:
            if part.type != "text":
                raise ContentUnsupported(number, part.type)
    text, extra = message.plain_text(), message.model_extra or {}
    if message.role in ("tool", "function"):
        name = names.get(str(extra.get("tool_call_id"))) or str(extra.get("name") or "the function")
        return {"role": "user", "content": f"Result of {name}:\n{text}"}
    calls = [_written(call["function"]) for call in calls_in(number, message)]
    if calls:
        said = calls[0] if len(calls) == 1 else f"[{', '.join(calls)}]"
        return {"role": message.role, "content": f"{text}\n{said}" if text else said}
    return {"role": "system" if message.role == "developer" else message.role, "content": text}


def _written(function: dict[str, Any]) -> str:
    """A call as a model without tools writes it."""
    return f'{{"name": {json.dumps(function["name"])}, "arguments": {function["arguments"] or "{}"}}}'


def _joined(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """Messages of the user in a row as one: results of tools are the user's, and many templates want turns."""
    joined: list[dict[str, str]] = []
    for message in messages:
        if joined and message["role"] == "user" == joined[-1]["role"]:
            joined[-1] = {"role": "user", "content": f"{joined[-1]['content']}\n\n{message['content']}"}
        else:
            joined.append(message)
    return joined
