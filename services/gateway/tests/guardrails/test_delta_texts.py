"""What of a request and of an answer is looked at: all of it but references, joined where a model reads it joined."""

from __future__ import annotations

import json
from typing import Any

import pytest
from services.gateway.tests.guardrails.test_answer_observer import Through

from contracts.access.guardrails import Guardrails
from contracts.operations.table import OPERATIONS
from gateway.guardrails.answer_observer import GuardrailObserver
from gateway.guardrails.errors import ContentBlocked
from gateway.guardrails.screen import Screen
from servicekit.streams.sse import encode

MAIL, CARD = "jane.roe@acme.example", "4111 1111 1111 1111"


MASK = "*" * len(MAIL)


REACHES = {operation.id: operation.reach for operation in OPERATIONS}


def screen(route: str = "POST /v1/chat/completions", **rules: Any) -> Screen:
    return Screen(Guardrails.model_validate(rules), REACHES[route])


CITATION = {
    "type": "url_citation",
    "url_citation": {"title": f"Contact {MAIL}", "url": "https://a.example/1", "start_index": 0, "end_index": 3},
    "title": f"Contact {MAIL}",
    "source": f"{MAIL}.md",
    "document_id": "contact",
    "quote": "x",
}


REPORT = {
    "sources": [{"title": f"Contact {MAIL}", "source": MAIL, "text": MAIL, "document_id": "contact"}],
    "pending_tool_calls": [{"id": "c1", "name": "post", "arguments": {"to": MAIL, MAIL: 1, "n": 4111111111111111}}],
    "receipt": {"model": "m", "request_id": "req_1"},
    "added_later": [{"by": {"somebody": MAIL}}],
}


async def test_every_text_of_a_streamed_answer_is_screened_in_whatever_field_it_comes() -> None:
    observer = GuardrailObserver(Through(), screen(output={"pii": "redact"}), {})
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "new_field": [{"index": 3, "text": f"to {MAIL[:8]}"}]},
        {"new_field": [{"index": 3, "text": MAIL[8:]}]},
        {"annotations": [CITATION]},
    ]
    chunks = [{"id": "c", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "groundwork": REPORT})
    out = [await observer.frame(encode(json.dumps(chunk))) for chunk in chunks]
    out.append(await observer.last())
    assert MAIL.encode() not in b"".join(out)
    said = [json.loads(frame[6:])["choices"][0]["delta"] for frame in out if frame]
    items = [item for delta in said for item in delta.get("new_field", [])]
    assert {item["index"] for item in items} == {3}
    assert "".join(item["text"] for item in items) == f"to {MASK}"
    with pytest.raises(ContentBlocked):
        await GuardrailObserver(Through(), screen(output={"pii": "block"}), {}).frame(encode(json.dumps(chunks[-1])))
