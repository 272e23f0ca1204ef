"""Drives a translation of Responses, whole and event by event; samples of what models say."""

from __future__ import annotations

import json
from typing import Any

from gateway.chat.responses.translation import Responses


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "chatcmpl_7", "created": 5, "model": "m1", "choices": [{"delta": delta, "finish_reason": finish}]}


def events(*chunks: dict[str, Any] | str, **body: Any) -> list[dict[str, Any]]:
    translation = Responses()
    translation.question(json.dumps({"model": "m", "input": "Hi", "stream": True, **body}).encode())
    lines = [f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n" for chunk in chunks]
    told = b"".join(translation.frame(line.encode()) for line in lines).decode()
    blocks = [block.split("\n") for block in told.split("\n\n") if block]
    parsed = [json.loads(block[1].removeprefix("data: ")) for block in blocks]
    assert [block[0] for block in blocks] == [f"event: {event['type']}" for event in parsed]
    assert [event["sequence_number"] for event in parsed] == list(range(len(parsed)))
    return parsed


USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "prompt_tokens_details": {"cached_tokens": 2}}


CITED = {
    "type": "url_citation",
    "url_citation": {"url": "https://e.org/a", "title": "A", "start_index": 3, "end_index": 6},
    "index": 3,
    "marker": "[1]",
    "document_id": "d1",
    "source": "a.md",
    "quote": "yes",
}


def chat_of(**body: Any) -> dict[str, Any]:
    request = Responses().question(json.dumps({"model": "m", "input": "Hi", **body}).encode())
    return request.model_dump(mode="json", exclude_unset=True)


SKY: dict[str, Any] = {"type": "function", "name": "sky", "description": "d", "parameters": {"type": "object"}}


def whole(answer: dict[str, Any], **body: Any) -> dict[str, Any]:
    translation = Responses()
    translation.question(json.dumps({"model": "m", "input": "Hi", **body}).encode())
    told: dict[str, Any] = json.loads(translation.whole(json.dumps(answer).encode()))
    return told
