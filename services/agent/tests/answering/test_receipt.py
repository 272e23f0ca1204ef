from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from services.agent.tests.answering.answers import INCLUDE, OWN_PROMPT, RIGHT, degraded
from services.agent.tests.conftest import LEAVE_QUESTION, Bench

from agent.answering.receipt import CALL_SPANS
from agent.settings import AgentSettings
from agent.testing.scripted_answers import CAPABLE
from agent.testing.scripted_reader import ScriptedReader
from contracts.models.reading import ReadingReply, ReadingRequest
from contracts.models.versions import ModelVersion
from servicekit.core.settings import ServiceSettings
from servicekit.telemetry import spans as tracing
from servicekit.telemetry.trace_context import CURRENT


@dataclass
class _WatchedReader(ScriptedReader):
    """One that notes whether its calls are recorded in the trace."""

    recorded: list[bool] = field(default_factory=list)

    async def read(self, request: ReadingRequest, token: str) -> ReadingReply | None:
        self.recorded.append(tracing.is_recording())
        return await super().read(request, token)


async def test_the_receipt_tells_stages_tokens_model_and_attempts() -> None:
    answer = await Bench(says=RIGHT, info=CAPABLE).ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert answer.groundwork is not None
    receipt = answer.groundwork.receipt
    assert receipt is not None
    assert [stage.name for stage in receipt.stages] == ["condense", "retrieve", "judge", "answer", "verify"]
    assert (receipt.model, receipt.attempts[0].outcome, receipt.cost_usd) == ("scripted", "ok", None)
    assert receipt.tokens.prompt > 0
    assert receipt.tokens.embedding > 3
    assert answer.usage is not None
    assert answer.usage.completion_tokens == receipt.tokens.completion > 0
    assert [source.number for source in answer.groundwork.sources or []] == [1, 2]


async def test_what_the_retriever_did_without_is_in_the_receipt() -> None:
    bench = Bench(says=RIGHT)
    bench.search.degraded = ["rerank_skipped"]
    assert degraded(await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)) == ["rerank_skipped"]


async def test_the_receipt_counts_what_was_reranked() -> None:
    bench = Bench(says=RIGHT)
    bench.search.reranked = 120
    answer = await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert answer.groundwork is not None
    assert answer.groundwork.receipt is not None
    assert answer.groundwork.receipt.tokens.rerank == 120


async def test_the_receipt_names_the_model_that_answered_also_where_its_draft_was_cut() -> None:
    bench = Bench(
        says=RIGHT, settings=AgentSettings(deadline_seconds=8)
    )  # of which a draft has six: far more than it needs
    bench.models.version = ModelVersion("small", "sha256:ab", "12cd", "house-style")
    bench.models.never_ends = True
    answer = await bench.ask(LEAVE_QUESTION, groundwork={**INCLUDE, **OWN_PROMPT}, max_tokens=5)
    assert answer.groundwork is not None
    assert answer.groundwork.receipt is not None
    receipt = answer.groundwork.receipt
    assert (receipt.model_digest, receipt.fingerprints) == ("sha256:ab", {"small": "12cd"})
    assert receipt.adapter == "house-style"


async def test_checking_a_long_answer_makes_few_spans_and_counts_the_other_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[ReadableSpan] = []

    def export(_: OTLPSpanExporter, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sent.extend(spans)
        return SpanExportResult.SUCCESS

    monkeypatch.setattr(OTLPSpanExporter, "export", export)
    tracing.configure_tracing(ServiceSettings(otlp_endpoint="http://127.0.0.1:4318"), "agent")
    root = tracing.enter("root", "server", None)
    says = " ".join(f"Employee number {number} gets {number} days of paid leave per year." for number in range(40))
    reader = _WatchedReader(answers={"27 days": 0.97})
    try:
        answer = await Bench(says=says, info=CAPABLE, reader=reader).ask(LEAVE_QUESTION, groundwork=INCLUDE)
    finally:
        root.end()
        tracing.close_tracing()
        CURRENT.set(None)
    assert len(reader.recorded) > 20
    assert 0 < sum(reader.recorded) <= 2 * CALL_SPANS, "of the stages judge and verify"
    shown = {span.name: dict(span.attributes or {}) for span in sent}
    assert list(shown) == ["condense", "retrieve", "judge", "answer", "verify", "root"]
    calls, tokens = shown["verify"]["groundwork.model_calls"], shown["verify"]["groundwork.reading_tokens"]
    assert isinstance(calls, int)
    assert calls > 20
    assert answer.groundwork is not None
    assert answer.groundwork.receipt is not None
    assert tokens == answer.groundwork.receipt.tokens.reading - int(str(shown["judge"]["groundwork.reading_tokens"]))
