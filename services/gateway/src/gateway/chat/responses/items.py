"""Items of a response's `input` as messages of a chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.chat.responses.errors import NotKept, Unsupported
from gateway.chat.responses.tools import chat_name

Item = Mapping[str, Any]
Message = dict[str, Any]
ROLES = ("user", "assistant", "system", "developer")
_TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
"""Parts that are text, and the field that holds it."""
_LEFT_OUT = ("reasoning", "file_search_call", "web_search_call")
"""Reasoning, which only who has written it can read, and that a search was made: what it found is in the answer."""


def messages_of(items: str | Sequence[Item]) -> list[Message]:
    """The conversation; raises `Unsupported`, with the place, for what no chat has."""
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    messages: list[Message] = []
    for number, item in enumerate(items):
        _add(messages, item, f"input.{number}")
    return messages


def _add(messages: list[Message], item: Item, place: str) -> None:
    kind = item.get("type") or "message"
    if kind == "message":
        messages.append(_message(item, place))
    elif kind == "function_call":
        _add_call(messages, item, place)
    elif kind == "function_call_output":
        content = _content(item.get("output"), f"{place}.output")
        messages.append({"role": "tool", "tool_call_id": _text(item, "call_id", place), "content": content})
    elif kind == "item_reference":
        raise NotKept(f"{place}.id")
    elif kind not in _LEFT_OUT:
        raise Unsupported(f"{place}.type", f"items of type '{str(kind)[:64]}' are not supported")


def _message(item: Item, place: str) -> Message:
    role = item.get("role")
    if role not in ROLES:
        raise Unsupported(f"{place}.role", f"must be one of {', '.join(ROLES)}")
    return {"role": role, "content": _content(item.get("content"), f"{place}.content")}


def _add_call(messages: list[Message], item: Item, place: str) -> None:
    """Calls in a row, and the text before them, are one message of the assistant."""
    namespace = item.get("namespace")
    name = chat_name(namespace if isinstance(namespace, str) else None, _text(item, "name", place))
    function = {"name": name, "arguments": _text(item, "arguments", place)}
    call = {"id": _text(item, "call_id", place), "type": "function", "function": function}
    last = messages[-1] if messages else {}
    if last.get("role") != "assistant":
        last = {"role": "assistant", "content": None}
        messages.append(last)
    last.setdefault("tool_calls", []).append(call)


def _content(content: object, place: str) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise Unsupported(place, "must be a text or a list of parts")
    parts = [_part(part, f"{place}.{number}") for number, part in enumerate(content)]
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts or ""


def _part(part: Item, place: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind in _TEXTS:
        return {"type": "text", "text": _text(part, _TEXTS[kind], place)}
    if kind in ("input_image", "input_file") and part.get("file_id") is not None:
        raise Unsupported(f"{place}.file_id", "files are not kept here; send the data itself")
    if kind == "input_image":
        image = {"url": _text(part, "image_url", place), "detail": part.get("detail") or "auto"}
        return {"type": "image_url", "image_url": image}
    if kind == "input_file":
        named = {name: part[name] for name in ("filename", "file_data") if part.get(name) is not None}
        return {"type": "file", "file": {**named, "file_data": _text(part, "file_data", place)}}
    if kind == "input_audio":
        return {"type": "input_audio", "input_audio": part.get("input_audio")}
    raise Unsupported(f"{place}.type", f"parts of type '{str(kind)[:64]}' are not supported")


def _text(holder: Item, name: str, place: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        raise Unsupported(f"{place}.{name}", "must be a text")
    return value
