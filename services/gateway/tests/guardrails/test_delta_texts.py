"""What of a request and of an answer is looked at: all of it but references, joined where a model reads it joined."""

from __future__ import annotations

import json
from typing import Any

import pytest
from services.gateway.tests.guardrails.samples import CITATION, MAIL, MASK, REPORT, screen
from services.gateway.tests.guardrails.test_answer_observer import Through

from gateway.guardrails.answer_observer import GuardrailObserver
from gateway.guardrails.errors import ContentBlocked
from servicekit.streams.sse import encode


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
