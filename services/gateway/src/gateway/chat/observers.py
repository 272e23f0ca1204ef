"""Stream observers: what the gateway reads from, and writes into, answers that pass through: tokens, cost, receipts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import structlog

from contracts.access.guardrails import GuardDecision
from contracts.models.catalog import ModelInfo
from contracts.models.chat import AnswerReport, ChatCompletionChunk
from contracts.models.receipts import Attempt, Receipt, TokenCounts
from gateway.models.cost import NANO, cost_nano_usd
from gateway.records.recording import Recording
from gateway.routing.split import Assignment
from gateway.streaming.observer import StreamObserver
from gateway.usage.inner_calls import InnerCalls, Spent, complete_receipt
from gateway.usage.meter import MeteredCall
from gateway.usage.records import CUT, count
from gateway.usage.token_counter import ChatCount
from servicekit.streams.chunks import object_in
from servicekit.streams.sse import END, data_of, is_done
from servicekit.telemetry.trace_context import trace_id

log = structlog.get_logger(__name__)


class ModelObserver:
    """A plain model's chat answer: takes its `usage`, or estimates it when the answer broke off before."""

    def __init__(
        self,
        call: MeteredCall,
        model: ModelInfo,
        count: ChatCount,
        *,
        show_usage: bool,
        attempts: Sequence[Attempt] = (),
        decisions: Sequence[GuardDecision] = (),
    ) -> None:
        self._decisions = decisions
        self._attempts = attempts
        self._call = call
        self._model = model
        self._count = count
        self._show_usage = show_usage
        self._begun = False
        self._known = False
        self._cut_off = False
        self._closed = False

    async def frame(self, frame: bytes) -> bytes:
        """Everything passes but a `usage` frame that only we asked for."""
        if not frame.startswith(b":") and not is_done(frame):
            self._begun = True
            self._count.note(frame)
        if b'"usage":' not in frame or b'"usage":null' in frame or b'"usage": null' in frame:
            return frame
        chunk = object_in(data_of(frame))
        usage = chunk.get("usage")
        if isinstance(usage, Mapping):
            self._take(usage)
            if not chunk.get("choices") and not self._show_usage:
                return b""
        return frame

    async def whole(self, body: bytes) -> bytes:
        """Passes as it is."""
        usage = object_in(body).get("usage")
        self._begun = True
        if isinstance(usage, Mapping):
            self._take(usage)
        if not self._known:
            self._count.note(b"data: " + body)
        return body

    async def last(self) -> bytes:
        """For a call inside another one: which models were tried, and what all of them used and cost."""
        if self._call.parent_id is None or not self._attempts:
            return b""
        tokens, cost = self._call.spent
        version = self._call.answered_by
        receipt = Receipt(
            request_id=self._call.request_id,
            trace_id=trace_id(),
            model=self._model.id,
            model_digest=version.digest,
            adapter=version.adapter,
            fingerprints={self._model.id: version.fingerprint} if version.fingerprint else {},
            tokens=TokenCounts(prompt=tokens.prompt, completion=tokens.completion),
            attempts=list(self._attempts),
            cost_usd=None if cost is None else Decimal(cost) * NANO,
            guardrails=list(self._decisions),
        )
        report = AnswerReport(grounded=False, abstained=False, answer_kind="generated", collections=[], receipt=receipt)
        chunk = ChatCompletionChunk(id=self._call.id, created=0, model=self._model.id, choices=[], groundwork=report)
        return b"data: " + chunk.model_dump_json(exclude_none=True).encode() + END

    def cut_off(self) -> None:
        """Estimate from here on, even if no piece of the answer had arrived."""
        self._cut_off = True

    def close(self) -> None:
        """Settle tokens and cost of the call."""
        if self._closed:
            return
        self._closed = True
        if not self._known and self._call.reported is not None:
            self._take(self._call.reported)
        tokens = self._call.tokens
        if not self._known and (self._begun or self._cut_off):
            self._call.estimated = True
            tokens.prompt, tokens.completion = self._count.prompt(), self._count.completion()
        self._count.clear()
        self._call.cost = cost_nano_usd(self._model.price, tokens.prompt, tokens.completion, tokens.cached)

    def _take(self, usage: Mapping[str, Any]) -> None:
        """Take what can be true. An upstream that tells nonsense has told nothing: its answer is counted here."""
        prompt, completion = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
        if not prompt or (not completion and usage.get("completion_tokens") != 0):
            log.warning("an upstream's usage is not believed", model=self._model.id, usage=str(usage)[:200])
            return
        self._known = True
        self._call.estimated = usage.get("estimated") is True  # inference counted, since the engine did not say
        cached = count(_part(usage, "prompt_tokens_details"), "cached_tokens")
        reasoning = count(_part(usage, "completion_tokens_details"), "reasoning_tokens")
        tokens = self._call.tokens
        tokens.prompt, tokens.completion = prompt, completion
        tokens.cached, tokens.reasoning = min(cached, prompt), min(reasoning, completion)


class AnswerObserver:
    """A `rag:` answer: its receipt and its usage are what the ledger has of the calls inside it; the receipt leaves if
    the client did not ask for it."""

    def __init__(
        self,
        call: MeteredCall,
        inner: InnerCalls,
        *,
        show_receipt: bool,
        show_sources: bool = True,
        recording: Recording | None = None,
    ) -> None:
        self._call = call
        self._inner = inner
        self._show_receipt = show_receipt
        self._show_sources = show_sources
        self._recording = recording
        self._spent: Spent | None = None
        self.revisions: dict[str, int] = {}
        """The revisions of the collections that the answer used, once its receipt has passed."""
        self.fingerprints: Mapping[str, str] | None = None
        """Of each model that wrote in the answer; None where that of one is not known."""
        self.degraded = False
        """Whether something was missing that may be there next time."""

    async def frame(self, frame: bytes) -> bytes:
        """Only the frames with the `groundwork` object and with `usage` are taken apart."""
        if not any(b'"%s":' % name in frame for name in (b"groundwork", b"usage")) or is_done(frame):
            return frame
        chunk = object_in(data_of(frame))
        report, usage = chunk.get("groundwork"), chunk.get("usage")
        if not report and not usage:
            return frame
        if self._recording is not None and isinstance(report, dict) and not (chunk.get("choices") or usage):
            self._recording.report(None, report.get("sources"))
            return b""  # told for the record alone, before the answer
        return b"data: " + await self._settled(chunk) + END

    async def whole(self, body: bytes) -> bytes:
        """The answer with its receipt completed or removed."""
        return await self._settled(object_in(body))

    async def last(self) -> bytes:
        """Nothing."""
        return b""

    def cut_off(self) -> None:
        """The calls inside are cut off, too, and settle themselves."""

    def close(self) -> None:
        """The calls inside have rows of their own."""

    async def _settled(self, answer: dict[str, Any]) -> bytes:
        if self._spent is None:
            self._spent = await self._inner.spent(self._call.id, self._call.principal.key_id)
        report, usage = answer.get("groundwork"), answer.get("usage")
        if isinstance(report, dict) and (assignment := self._call.assignment) is not None:
            assignment.take(report)
        receipt = report.get("receipt") if isinstance(report, dict) else None
        if isinstance(report, dict) and isinstance(receipt, dict):
            self._complete(receipt, self._spent)
            if self._recording is not None:
                self._recording.report(receipt, report.get("sources"))
            if not self._show_sources:
                report.pop("sources", None)
            if not self._show_receipt:
                del report["receipt"]
        if isinstance(usage, dict):
            prompt, completion = self._spent.tokens.prompt, self._spent.tokens.completion
            usage.update(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
        return _encoded(answer)

    def _complete(self, receipt: dict[str, Any], spent: Spent) -> None:
        revisions = receipt.get("collection_revisions")
        self.revisions = revisions if isinstance(revisions, dict) else {}
        self.degraded = bool(receipt.get("degraded"))
        self.fingerprints = fingerprints_of(receipt.get("fingerprints"), spent.attempts)
        complete_receipt(receipt, self._call, spent)


class VariantObserver:
    """An answer of a variant: its id is noted, by which it can be rated."""

    def __init__(self, observer: StreamObserver, assignment: Assignment) -> None:
        self._observer = observer
        self._assignment = assignment

    async def frame(self, frame: bytes) -> bytes:
        """Only the first with an id is taken apart."""
        passed = await self._observer.frame(frame)
        if self._assignment.answer_id is None and not passed.startswith(b":") and not is_done(passed):
            self._assignment.name_answer(object_in(data_of(passed)).get("id"))
        return passed

    async def whole(self, body: bytes) -> bytes:
        """As it is."""
        passed = await self._observer.whole(body)
        self._assignment.name_answer(object_in(passed).get("id"))
        return passed

    async def last(self) -> bytes:
        """Nothing of its own."""
        return await self._observer.last()

    def cut_off(self) -> None:
        """Nothing of its own."""
        self._observer.cut_off()

    def close(self) -> None:
        """Nothing of its own."""
        self._observer.close()


class RunObserver:
    """An agent's completion: it passes as it is, but for what is told for its record. What its model calls used and
    cost are rows of their own."""

    def __init__(self, recording: Recording | None = None) -> None:
        self._recording = recording

    async def frame(self, frame: bytes) -> bytes:
        """Only the frames with the `groundwork` object are taken apart; one that has nothing else ends here."""
        if self._recording is None or b'"groundwork":' not in frame or is_done(frame):
            return frame
        chunk = object_in(data_of(frame))
        if not self._take_sources(chunk):
            return frame
        return b"data: " + _encoded(chunk) + END if chunk.get("choices") else b""

    async def whole(self, body: bytes) -> bytes:
        """Without what is told for its record."""
        answer = {} if self._recording is None else object_in(body)
        return _encoded(answer) if self._take_sources(answer) else body

    async def last(self) -> bytes:
        """Nothing of ours."""
        return b""

    def cut_off(self) -> None:
        """The run is cancelled by the agent service, and its model calls settle themselves."""

    def close(self) -> None:
        """Nothing is left to settle."""

    def _take_sources(self, answer: dict[str, Any]) -> bool:
        """Whether there were any in it."""
        report = answer.get("groundwork")
        if self._recording is None or not isinstance(report, dict) or "sources" not in report:
            return False
        self._recording.report(None, report.pop("sources"))
        return True


def fingerprints_of(reported: object, attempts: Sequence[Attempt]) -> Mapping[str, str] | None:
    """What a receipt tells of the models that were asked with success; None if it says nothing of one of them."""
    known = {name: str(value) for name, value in reported.items()} if isinstance(reported, dict) else {}
    wrote = {attempt.model for attempt in attempts if attempt.outcome in ("ok", CUT)}
    return known if wrote <= known.keys() else None


def _encoded(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _part(usage: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = usage.get(field)
    return value if isinstance(value, Mapping) else {}
