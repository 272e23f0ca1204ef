"""What an upstream says that it has used is in the ledger to the token, whatever became of the call."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response
from tests.support.agent.service import serving
from tests.support.gateway.running import RunningGateway
from tests.support.inference.fake_upstream import DONE, Upstream, chunk
from tests.support.inference.real import PRICE, running_with_inference
from tests.support.inference.running import EMBEDDING, RERANK

LOOK = {"name": "look", "parameters": {"type": "object", "properties": {"where": {"type": "string"}}}}
BROKEN = '{"where": oops'
CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": BROKEN}}
FAILURE = {"error": {"message": "The engine fell over.", "type": "server_error", "code": 500}}
SAID = chunk("Let me see.")
CALLING = chunk(delta={"tool_calls": [CALL]})
ENDED = chunk(reason="tool_calls")


@dataclass
class Book:
    """An upstream that answers as it is told, and adds up what it reports."""

    upstream: Upstream = field(default_factory=Upstream)
    prompt: int = 0
    completion: int = 0

    def _usage(self) -> dict[str, int]:
        """Other numbers each time."""
        prompt, completion = 101 + self.prompt, 7 + self.completion
        self.prompt, self.completion = self.prompt + prompt, self.completion + completion
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    def whole(self, message: dict[str, Any] | None = None, status: int = 200, **more: Any) -> Response:
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}] if message else []
        return JSONResponse({"choices": choices, "usage": self._usage(), **more}, status)

    def streamed(self, *lines: str, then_hang: bool = False) -> Response:
        """Lines, `USAGE` among them being what is reported."""
        usage = f"data: {json.dumps({'choices': [], 'usage': self._usage()})}\n\n"
        return self.upstream.streaming(*(usage if line == USAGE else line for line in lines), then_hang=then_hang)


USAGE = "usage"


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
async def gateway(book: Book, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with serving(book.upstream.app) as url:
        far = {"name": "far", "kind": "chat", "engine": "openai", "context_length": 1000, "default": True}
        far |= {"source": {"base_url": f"{url}/v1", "upstream_model": "m"}, "price": PRICE}
        async with running_with_inference(tmp_path, [far, EMBEDDING, RERANK]) as running:
            yield running


async def ask(gateway: RunningGateway, **more: Any) -> tuple[int, str]:
    messages = [{"role": "user", "content": "Look"}]
    body = {"model": "far", "messages": messages, "tools": [{"type": "function", "function": LOOK}], **more}
    answer = await gateway.call("POST", "/v1/chat/completions", json=body)
    return answer.status, await answer.text()


async def respond(gateway: RunningGateway, **more: Any) -> tuple[int, str]:
    body = {"model": "far", "input": "Look", "tools": [{"type": "function", **LOOK}], **more}
    answer = await gateway.call("POST", "/v1/responses", json=body)
    return answer.status, await answer.text()


async def agree(gateway: RunningGateway, book: Book, rows: int) -> list[dict[str, Any]]:
    """The ledger has so many rows, and as much in them as the upstream reported; `GET /v1/usage` says the same."""
    found = await gateway.usage_rows(rows, route="chat")
    assert len(found) == rows
    assert sum(row["prompt_tokens"] for row in found) == book.prompt
    assert sum(row["completion_tokens"] for row in found) == book.completion
    assert sum(row["cost_nano_usd"] for row in found) == (book.prompt + 2 * book.completion) * 1000
    assert not any(row["estimated"] for row in found)
    (total,) = (await (await gateway.call("GET", "/v1/usage?group_by=model")).json())["data"]
    assert (total["prompt_tokens"], total["completion_tokens"]) == (book.prompt, book.completion)
    return found


async def test_a_call_that_is_no_json_is_asked_for_once_handed_on_and_paid_once(
    gateway: RunningGateway, book: Book
) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    for asking in (ask, respond):
        book.upstream.answer = book.whole(message)
        status, text = await asking(gateway)
        assert (status, json.dumps(BROKEN) in text) == (200, True)
        book.upstream.answer = book.streamed(CALLING, ENDED, USAGE, DONE)
        status, text = await asking(gateway, stream=True)
        assert (status, json.dumps(BROKEN) in text) == (200, True)
    assert book.upstream.calls == 4
    await agree(gateway, book, rows=4)


async def test_a_failure_that_reports_usage_and_the_retry_after_it_are_both_paid(
    gateway: RunningGateway, book: Book
) -> None:
    good = {"role": "assistant", "content": "Here."}
    for failed in (book.whole(status=500, **FAILURE), book.whole()):
        book.upstream.answers = [failed, book.whole(good)]
        assert (await ask(gateway))[0] == 200
    rows = await agree(gateway, book, rows=4)
    assert sorted(row["status"] for row in rows) == [200, 200, 502, 502]


async def test_a_call_that_fails_for_good_is_paid_as_far_as_the_upstream_reports(
    gateway: RunningGateway, book: Book
) -> None:
    book.upstream.answers = [book.whole(status=500, **FAILURE), book.whole(status=500, **FAILURE)]
    assert (await ask(gateway))[0] == 502
    rows = await agree(gateway, book, rows=2)
    assert {row["status"] for row in rows} == {502}


async def test_a_stream_that_breaks_after_its_usage_is_paid_by_it(gateway: RunningGateway, book: Book) -> None:
    for lines in ((SAID, USAGE, f"data: {json.dumps(FAILURE)}\n\n"), (SAID, USAGE, ENDED, 'data: {"choi')):
        book.upstream.answer = book.streamed(*lines)
        status, text = await ask(gateway, stream=True)
        assert (status, "event: error" in text) == (200, True)
    await agree(gateway, book, rows=2)


async def test_a_caller_who_leaves_after_the_usage_came_pays_what_it_says(gateway: RunningGateway, book: Book) -> None:
    book.upstream.answer = book.streamed(SAID, ENDED, USAGE, then_hang=True)
    body = {"model": "far", "messages": [{"role": "user", "content": "Look"}], "stream": True}
    headers = {"Authorization": f"Bearer {gateway.admin_key}"}
    sent = body | {"stream_options": {"include_usage": True}}
    async with gateway.session.post(f"{gateway.url}/v1/chat/completions", json=sent, headers=headers) as answer:
        async for line in answer.content:
            if b'"prompt_tokens"' in line:
                break
        answer.close()
    (row,) = await agree(gateway, book, rows=1)
    assert row["status"] == 499
