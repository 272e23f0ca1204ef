from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest
import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from pydantic import SecretStr

from servicekit.core.settings import ServiceSettings
from servicekit.telemetry import spans as tracing
from servicekit.telemetry.trace_context import CURRENT, TraceContext, trace_id, traceparent, unrecorded

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    CURRENT.set(None)
    structlog.contextvars.clear_contextvars()
    yield
    tracing.close_tracing()


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[ReadableSpan]:
    """What the exporter would send: the socket is the one thing that is not there."""
    sent: list[ReadableSpan] = []

    def export(_: OTLPSpanExporter, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sent.extend(spans)
        return SpanExportResult.SUCCESS

    monkeypatch.setattr(OTLPSpanExporter, "export", export)
    return sent


def _on(ratio: float = 1.0) -> None:
    settings = ServiceSettings(
        otlp_endpoint="http://127.0.0.1:4318", otlp_headers=SecretStr("a=b,c = d"), trace_ratio=ratio
    )
    tracing.configure_tracing(settings, "sample")


def test_while_it_is_off_nothing_is_imported_and_every_call_has_a_trace_id() -> None:
    code = (
        "import sys; from servicekit.peers import client; from servicekit.telemetry import spans as tracing;"
        "from servicekit.web import app; from servicekit.core.settings import ServiceSettings;"
        "tracing.configure_tracing(ServiceSettings(), 'sample');"
        "span = tracing.enter('x', 'server', None);"
        "assert span is tracing.NOTHING and tracing.span('y') is span and tracing.model_call('chat', 'm') is span;"
        "from servicekit.telemetry.trace_context import trace_id; assert len(trace_id()) == 32;"
        "ours = ('opentelemetry.sdk', 'opentelemetry.exporter', 'google', 'requests');"
        "assert not [name for name in sys.modules if name.startswith(ours)]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_work_that_was_asked_for_joins_the_trace_and_its_logs_name_it() -> None:
    assert tracing.enter("x", "server", TraceContext.read(HEADER)) is tracing.NOTHING
    assert (trace_id(), traceparent()) == (TRACE, HEADER), "passed on as it came while nothing is recorded here"
    assert structlog.contextvars.get_contextvars() == {"trace_id": TRACE}


def test_spans_within_spans_are_children_and_the_last_are_sent_when_it_ends(exported: list[ReadableSpan]) -> None:
    _on()
    outer = tracing.enter("outer", "server", TraceContext.read(HEADER, "vendor=1"))
    with tracing.span("inner", attributes={"n": 1, "none": None}), tracing.model_call("chat", "m"):
        assert traceparent() != HEADER
        context = CURRENT.get()
        assert context is not None
        assert context.state == "vendor=1"
    assert CURRENT.get() == outer.context
    outer.end()
    tracing.close_tracing()
    chat, inner, server = exported
    assert [span.name for span in (chat, inner, server)] == ["chat m", "inner", "outer"]
    assert {f"{span.context.trace_id:032x}" for span in exported} == {TRACE}
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" == PARENT
    assert inner.parent is not None
    assert inner.parent.span_id == server.context.span_id
    assert dict(inner.attributes or {}) == {"n": 1}


def test_a_failure_is_told_by_its_kind_and_never_by_its_words(exported: list[ReadableSpan]) -> None:
    _on()
    tracing.enter("outer", "server", None).end()
    with pytest.raises(ValueError, match="secret"), tracing.span("inner"):
        raise ValueError("a secret of the document")
    tracing.close_tracing()
    (inner,) = [span for span in exported if span.name == "inner"]
    assert dict(inner.attributes or {}) == {"error.type": "ValueError"}
    assert not inner.events
    assert "secret" not in inner.to_json()


def test_the_caller_decides_about_its_trace_and_chance_about_those_that_begin_here(
    exported: list[ReadableSpan],
) -> None:
    _on(ratio=0.0)
    assert tracing.enter("begins here", "server", None) is tracing.NOTHING
    assert tracing.span("inner") is tracing.NOTHING
    assert tracing.enter("not wanted", "server", TraceContext(TRACE, PARENT, sampled=False)) is tracing.NOTHING
    tracing.enter("wanted", "server", TraceContext.read(HEADER)).end()
    tracing.close_tracing()
    assert [span.name for span in exported] == ["wanted"]


def test_nothing_is_recorded_that_nobody_asked_for(exported: list[ReadableSpan]) -> None:
    _on()
    assert tracing.span("in the background") is tracing.NOTHING
    tracing.close_tracing()
    assert not exported


def test_what_is_done_unrecorded_keeps_its_trace_id_and_what_follows_is_recorded_again(
    exported: list[ReadableSpan],
) -> None:
    _on()
    outer = tracing.enter("outer", "server", TraceContext.read(HEADER))
    with pytest.raises(ValueError, match="late"), unrecorded():
        assert tracing.span("counted alone") is tracing.NOTHING
        passed_on = TraceContext.read(traceparent())
        assert passed_on is not None
        assert (passed_on.trace_id, passed_on.sampled) == (TRACE, False)
        raise ValueError("late")
    with tracing.span("inner"):
        pass
    outer.end()
    tracing.close_tracing()
    assert [span.name for span in exported] == ["inner", "outer"]
