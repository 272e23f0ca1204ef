"""Screens to look at texts with, and what they have to find."""

from __future__ import annotations

from typing import Any

from contracts.access.guardrails import Guardrails
from contracts.models.chat import ChatRequest
from contracts.operations.table import OPERATIONS
from gateway.guardrails.screen import Screen

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


def parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


def chat(*contents: Any, **more: Any) -> ChatRequest:
    messages = [{"role": "user", "content": content} for content in contents]
    return ChatRequest.model_validate({"model": "m", "messages": messages, **more})
