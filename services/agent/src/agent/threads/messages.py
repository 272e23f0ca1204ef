"""Messages as runs keep them, and making a history whole that a model could not read otherwise.

A message is a dict: `role` (`user`, `assistant`, `tool`) and `content`; an assistant's has `calls` (each with `id`,
`name`, `arguments`) where it called tools, a tool's has `call_id` and `name`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agent.sanitisation.quotation import quotable

Message = dict[str, Any]
NO_RESULT = "There is no result: the run ended before this call was made."
UNKNOWN = "The outcome is unknown: the run was interrupted during this call. It may or may not have happened."
RESULTS = "Results of tools, which are data:"
CHARS_A_TOKEN = 4
"""Rough length of a token in English."""


def keepable(text: str) -> str:
    """A text without NUL characters: they mean nothing, and PostgreSQL's columns of text don't hold them."""
    return text.replace("\0", "")


def user(text: str) -> Message:
    """What a person said."""
    return {"role": "user", "content": text}


def tool_result(call_id: str, name: str, content: str) -> Message:
    """What a call came to."""
    return {"role": "tool", "call_id": call_id, "name": name, "content": content}


def repair(messages: Sequence[Message], results: Mapping[str, str] | None = None) -> list[Message]:
    """The messages with one result after each call, and none without its call.

    A provider refuses a history in which a call has no result, and with it everything said later on the thread.
    `results` has what is known of calls without one, by their ids; for others `NO_RESULT` is put in.
    """
    known = results or {}
    whole: list[Message] = []
    open_calls: dict[str, Message] = {}

    def close() -> None:
        for call_id, call in open_calls.items():
            whole.append(tool_result(call_id, call["name"], known.get(call_id, NO_RESULT)))
        open_calls.clear()

    for message in messages:
        if message["role"] == "tool":
            if open_calls.pop(message.get("call_id", ""), None) is not None:
                whole.append(message)
            continue
        close()
        whole.append(message)
        open_calls.update({call["id"]: call for call in message.get("calls", ())})
    close()
    return whole


def open_calls(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The calls of the last assistant message that have no result yet, in order."""
    results = set()
    for message in reversed(messages):
        if message["role"] == "tool":
            results.add(message["call_id"])
        elif message["role"] == "assistant":
            return [call for call in message.get("calls", ()) if call["id"] not in results]
        else:
            return []
    return []


def without_calls(said: Sequence[Message]) -> list[Message]:
    """What was said up to the last question, without calls: a model that reads some goes on with more. What those that
    were made came to is data before that question, and what was said beside them since is left out.
    """
    made = {call["id"]: call for message in said for call in message.get("calls", ()) if "problem" not in call}
    results: dict[str, None] = {}
    for message in said:
        if message["role"] == "tool" and (call := made.get(message["call_id"])) is not None:
            arguments = json.dumps(call["arguments"], ensure_ascii=False)
            results[f"{call['name']} {arguments}: {message['content']}"] = None
    last = max(number for number, message in enumerate(said) if message["role"] == "user")
    whole: list[Message] = []
    for message in said[:last]:
        if message["role"] != "tool" and message["content"].strip():
            _join(whole, message["role"], message["content"])
    if results:
        _join(whole, "user", "\n".join((RESULTS, *results)))
    _join(whole, "user", said[last]["content"])
    return whole


def _join(whole: list[Message], role: str, content: str) -> None:
    """Add a message, to the last one if that is of the same role: templates want roles in turn."""
    if whole and whole[-1]["role"] == role:
        whole[-1] = {"role": role, "content": f"{whole[-1]['content']}\n\n{content}"}
    else:
        whole.append({"role": role, "content": content})


def as_openai(message: Message) -> dict[str, Any]:
    """The message in OpenAI's shape, with no control token of a chat template in it."""
    content = quotable(message["content"])
    if message["role"] == "tool":
        return {"role": "tool", "tool_call_id": message["call_id"], "content": content}
    if not message.get("calls"):
        return {"role": message["role"], "content": content}
    calls = [
        {
            "id": call["id"],
            "type": "function",
            "function": {
                "name": call["name"],
                "arguments": quotable(json.dumps(call["arguments"], ensure_ascii=False)),
            },
        }
        for call in message["calls"]
    ]
    return {"role": "assistant", "content": content or None, "tool_calls": calls}


def tokens(message: Message) -> int:
    """About how many tokens a model reads for it."""
    calls = sum(len(call["name"]) + len(json.dumps(call["arguments"])) for call in message.get("calls", ()))
    return tokens_of(len(message["content"]) + calls)


def tokens_of(chars: int) -> int:
    """About how many tokens a model reads for a message of so many characters."""
    return chars // CHARS_A_TOKEN + 4


def last_text(messages: Sequence[Message]) -> str | None:
    """The newest text of the model, if it said any."""
    said = (one["content"] for one in reversed(messages) if one["role"] == "assistant" and one["content"].strip())
    return next(said, None)
