from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from contracts.models.catalog import ModelInfo, ModelPrice
from contracts.models.chat import ChatRequest
from gateway.auth.keys import Principal
from gateway.chat.observers import AnswerObserver, ModelObserver, RunObserver
from gateway.records.recording import Recording
from gateway.usage.inner_calls import InnerCalls
from gateway.usage.ledger import UsageLedger
from gateway.usage.meter import Meter, MeteredCall
from gateway.usage.records import UsageRecord
from gateway.usage.token_counter import ChatCount
from servicekit.core.clock import SystemClock
from servicekit.sql.database import Database

PRICE = ModelPrice(prompt_usd_per_million=Decimal("1"), completion_usd_per_million=Decimal("2"))


CHAT = ModelInfo(id="m", kind="chat", default=True, price=PRICE)


KEY = Principal("k1", "acme", frozenset({"chat"}))


USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


def _call() -> MeteredCall:
    return MeteredCall(None, KEY, "chat", "req_1", None, datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]


class _NoTokenizer:
    """Counts nothing, as while a tokenizer is being read."""

    def prepare(self, model: str) -> None:
        return

    def count(self, model: str, text: str) -> int | None:
        return None


def _count(request_bytes: int) -> ChatCount:
    request = ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "hello"}]})
    return ChatCount(_NoTokenizer(), CHAT, request, request_bytes)  # type: ignore[arg-type]


def _frame(**chunk: Any) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


async def test_usage_that_inference_counted_itself_is_recorded_as_estimated() -> None:
    call = _call()
    observer = ModelObserver(call, CHAT, _count(400), show_usage=True)
    await observer.frame(_frame(choices=[], usage=USAGE | {"estimated": True}))
    observer.close()
    assert (call.tokens.prompt, call.tokens.completion, call.estimated) == (100, 10, True)


async def test_a_usage_frame_that_only_we_asked_for_does_not_pass() -> None:
    call = _call()
    observer = ModelObserver(call, CHAT, _count(400), show_usage=False)
    content = _frame(choices=[{"delta": {"content": '"usage": {'}}], usage=None)
    assert await observer.frame(content) == content
    assert await observer.frame(_frame(choices=[], usage=USAGE)) == b""
    observer.close()
    assert (call.tokens.prompt, call.tokens.completion, call.cost, call.estimated) == (100, 10, 120_000, False)


async def test_a_usage_frame_that_was_asked_for_passes() -> None:
    frame = _frame(choices=[], usage=USAGE)
    assert await ModelObserver(_call(), CHAT, _count(400), show_usage=True).frame(frame) == frame


async def test_an_answer_that_broke_off_is_estimated_and_marked() -> None:
    call = _call()
    observer = ModelObserver(call, CHAT, _count(401), show_usage=False)
    for _ in range(7):
        await observer.frame(_frame(choices=[{"delta": {"content": "x"}}]))
    observer.close()
    assert (call.tokens.prompt, call.tokens.completion, call.estimated) == (101, 7, True)


LIES = [
    {"prompt_tokens": -5, "completion_tokens": 3},
    {"prompt_tokens": "100", "completion_tokens": "10"},
    {"prompt_tokens": 0, "completion_tokens": 0},
    {"prompt_tokens": 100, "completion_tokens": -1},
    {"prompt_tokens": 100, "completion_tokens": 10**12},
    {"prompt_tokens": 10**40, "completion_tokens": 1},
    {"prompt_tokens": True, "completion_tokens": 1},
    {"prompt_tokens": 1e3, "completion_tokens": [1]},
    {"total_tokens": 7},
    {},
]


@pytest.mark.parametrize("usage", LIES, ids=str)
async def test_usage_that_cannot_be_true_is_counted_instead_and_marked(usage: dict[str, Any]) -> None:
    streamed, whole = _call(), _call()
    observer = ModelObserver(streamed, CHAT, _count(400), show_usage=False)
    await observer.frame(_frame(choices=[{"delta": {"content": "five"}}]))
    assert await observer.frame(_frame(choices=[], usage=usage)) == b""
    observer.close()
    other = ModelObserver(whole, CHAT, _count(400), show_usage=False)
    await other.whole(json.dumps({"choices": [{"message": {"content": "five"}}], "usage": usage}).encode())
    other.close()
    for call in (streamed, whole):
        assert (call.tokens.prompt, call.tokens.completion, call.estimated) == (100, 1, True)
        assert call.cost == 102_000


async def test_parts_of_a_usage_are_never_more_than_the_whole() -> None:
    call = _call()
    observer = ModelObserver(call, CHAT, _count(400), show_usage=True)
    details = {"prompt_tokens_details": {"cached_tokens": 5000}, "completion_tokens_details": {"reasoning_tokens": 99}}
    await observer.frame(_frame(choices=[], usage={**USAGE, **details}))
    assert (call.tokens.cached, call.tokens.reasoning) == (100, 10)


async def test_an_answer_that_never_began_costs_nothing_unless_the_client_left() -> None:
    call = _call()
    observer = ModelObserver(call, CHAT, _count(400), show_usage=False)
    observer.close()
    assert (call.tokens.prompt, call.cost, call.estimated) == (0, 0, False)
    observer = ModelObserver(call, CHAT, _count(400), show_usage=False)
    observer.cut_off()
    observer.close()
    assert (call.tokens.prompt, call.estimated) == (100, True)


def _inner(name: str, cost: int | None, **changes: Any) -> UsageRecord:
    about: dict[str, Any] = {
        "id": name, "parent_id": "call_1", "request_id": "r", "key_id": "k1", "tenant": "acme", "route": "chat",
        "model": "m", "prompt_tokens": 7, "completion_tokens": 2, "embedding_tokens": 0, "cost_nano_usd": cost,
        "status": 200, "error_type": None, "streamed": False, "started_at": datetime(2026, 1, 1, tzinfo=UTC), "ms": 1,
    }  # fmt: skip
    return UsageRecord(**{**about, **changes})


SEARCHED = {"route": "search", "prompt_tokens": 30, "completion_tokens": 0, "embedding_tokens": 20}


async def _settled(database: Database, *inner: UsageRecord, show: bool = True) -> tuple[MeteredCall, dict[str, Any]]:
    ledger = UsageLedger(database, 10)
    ledger.open()
    for record in inner:
        await ledger.record(record)
    await ledger.close()
    meter = Meter(ledger, None, None, SystemClock(), None)  # type: ignore[arg-type]
    call = _call()
    call.id = "call_1"
    observer = AnswerObserver(call, InnerCalls(database, meter), show_receipt=show)
    report = {"grounded": True, "receipt": {"tokens": {"prompt": 0}, "cost_usd": None, "attempts": []}}
    passed = await observer.frame(_frame(choices=[], groundwork=report, later_field="kept"))
    chunk: dict[str, Any] = json.loads(passed.removeprefix(b"data: "))
    assert chunk["later_field"] == "kept"
    told = json.loads((await observer.frame(_frame(choices=[], usage=dict.fromkeys(USAGE, 0)))).removeprefix(b"data: "))
    return call, {**chunk["groundwork"], "usage": told["usage"]}


async def test_a_receipt_has_the_tokens_the_attempts_and_the_cost_of_the_ledger_also_of_a_draft_that_was_cut(
    database: Database,
) -> None:
    cut = _inner("b", 400, error_type="cut", estimated=True)
    call, report = await _settled(database, _inner("a", 50, **SEARCHED), cut)
    receipt = report["receipt"]
    assert receipt["tokens"] == {"prompt": 7, "completion": 2, "embedding": 20, "rerank": 30, "reading": 0}
    assert [(one["model"], one["outcome"]) for one in receipt["attempts"]] == [("m", "cut")]
    assert receipt["cost_usd"] == "0.00000045"
    assert report["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert (call.cost, call.tokens.total) == (0, 0)  # the calls inside have rows of their own


async def test_a_receipts_cost_is_null_when_the_price_of_one_part_is_unknown(database: Database) -> None:
    _, report = await _settled(database, _inner("a", 1_000), _inner("b", None))
    assert report["receipt"]["cost_usd"] is None


async def test_a_receipt_that_was_not_asked_for_is_taken_out(database: Database) -> None:
    _, report = await _settled(database, _inner("a", 1_000), show=False)
    assert set(report) == {"grounded", "usage"}


class _Reported(Recording):
    """A recording that notes what an answer tells of itself."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def report(self, receipt: dict[str, Any] | None, sources: object) -> None:
        assert receipt is None
        self.told.append(sources)


async def test_sources_that_are_told_before_an_answer_from_documents_are_its_records_alone() -> None:
    source = {"collection": "hb", "document_id": "leave"}
    early = _frame(choices=[], groundwork={"grounded": False, "sources": [source]})
    recording = _Reported()
    asked = AnswerObserver(_call(), None, show_receipt=False, recording=recording)  # type: ignore[arg-type]
    assert await asked.frame(early) == b"", "and it waits for no call that is still open"
    assert recording.told == [[source]]


async def test_what_an_agents_answer_tells_for_its_record_alone_goes_no_further() -> None:
    recording = _Reported()
    observer = RunObserver(recording)
    report, source = {"run_id": "run_1"}, {"collection": "hb", "document_id": "leave"}
    delta = [{"index": 0, "delta": {"content": "27"}}]
    assert await observer.frame(_frame(choices=[], groundwork={**report, "sources": [source]})) == b""
    assert recording.told == [[source]]
    last = await observer.frame(_frame(choices=delta, groundwork={**report, "sources": []}))
    assert json.loads(last.removeprefix(b"data: ")) == {"choices": delta, "groundwork": report}
    whole = json.dumps({"choices": delta, "groundwork": {**report, "sources": [source]}}).encode()
    assert json.loads(await observer.whole(whole)) == {"choices": delta, "groundwork": report}
    assert recording.told == [[source], [], [source]]


async def test_all_else_of_an_agents_answer_passes_byte_for_byte() -> None:
    quoting = _frame(choices=[{"delta": {"content": 'It says "groundwork": {"sources": 1}'}}])
    reported = _frame(choices=[{"delta": {}}], groundwork={"run_id": "run_1"})
    broken, done = b'data: {"groundwork": \n\n', b"data: [DONE]\n\n"
    for recording in (None, _Reported()):
        for frame in (quoting, reported, broken, done, b": waiting\n\n"):
            assert await RunObserver(recording).frame(frame) == frame
        assert await RunObserver(recording).whole(b'{"groundwork": 5}') == b'{"groundwork": 5}'
