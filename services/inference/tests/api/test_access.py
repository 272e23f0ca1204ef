from __future__ import annotations

from typing import Any

from services.inference.tests.api.calls import ask


def test_a_call_without_a_token_or_with_another_audience_is_refused(running: Any) -> None:
    assert running.client.get("/v1/models").status_code == 401
    assert running.post("/v1/chat/completions", ask(), audience="retriever").status_code == 401
    assert running.post("/v1/embeddings", {"input": "x"}, audience="models").status_code == 401
