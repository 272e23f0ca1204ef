"""Spans as they leave for a collector; the socket is the one thing that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanKind
from pydantic import SecretStr

from servicekit.core.settings import ServiceSettings
from servicekit.telemetry import otlp
from servicekit.telemetry.otlp import OtlpTracer
from servicekit.telemetry.trace_context import TraceContext

PARENT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True, state="vendor=1,other=2")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[OTLPSpanExporter, ReadableSpan]]:
    sent: list[tuple[OTLPSpanExporter, ReadableSpan]] = []

    def export(exporter: OTLPSpanExporter, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sent.extend((exporter, span) for span in spans)
        return SpanExportResult.SUCCESS

    monkeypatch.setattr(OTLPSpanExporter, "export", export)
    return sent


def _tracer(endpoint: str = "http://127.0.0.1:4318", headers: str = "", ratio: float = 1.0) -> OtlpTracer:
    settings = ServiceSettings(otlp_endpoint=endpoint, otlp_headers=SecretStr(headers), trace_ratio=ratio)
    return OtlpTracer(settings, "sample")


def test_a_span_is_a_child_of_the_caller_s_and_passes_on_what_others_want_passed_on(sent: list[Any]) -> None:
    tracer = _tracer()
    span = tracer.span("call", "server", PARENT, {"n": 1, "none": None})
    assert span.context is not None
    assert (span.context.trace_id, span.context.state) == (PARENT.trace_id, PARENT.state)
    span.end()
    tracer.close()
    ((_, told),) = sent
    assert (told.kind, dict(told.attributes)) == (SpanKind.SERVER, {"n": 1})
    assert f"{told.parent.span_id:016x}" == PARENT.span_id
    assert told.parent.is_remote


def test_a_span_that_nobody_asked_for_begins_a_trace(sent: list[Any]) -> None:
    tracer = _tracer()
    first, second = (tracer.span("work", "internal", None, {}) for _ in range(2))
    assert first.context is not None
    assert second.context is not None
    assert first.context.trace_id != second.context.trace_id
    tracer.close()


def test_a_collector_is_told_who_sends_and_which_instance_of_it(sent: list[Any]) -> None:
    tracers = [_tracer(), _tracer()]
    for tracer in tracers:
        tracer.span("work", "internal", None, {}).end()
        tracer.close()
    named = [dict(span.resource.attributes) for _, span in sent]
    assert {each["service.name"] for each in named} == {"sample"}
    assert len({each["service.instance.id"] for each in named}) == 2


def test_a_span_never_grows_beyond_what_a_collector_should_get(sent: list[Any]) -> None:
    tracer = _tracer()
    tracer.span("work", "internal", None, {f"k{n}": "x" * 1000 for n in range(100)}).end()
    tracer.close()
    ((_, told),) = sent
    assert (len(told.attributes), {len(value) for value in told.attributes.values()}) == (64, {256})


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp/v1/traces", "https://c/otlp/v1/traces"),
        ("https://c/v1/traces/", "https://c/v1/traces"),
    ],
)
def test_an_endpoint_may_be_given_with_or_without_its_path(sent: list[Any], given: str, called: str) -> None:
    tracer = _tracer(given)
    tracer.span("work", "internal", None, {}).end()
    tracer.close()
    assert sent[0][0]._endpoint == called


@pytest.mark.parametrize(
    ("given", "headers"),
    [
        ("", {}),
        ("A=b, c = d", {"a": "b", "c": "d"}),
        ("authorization=Basic YTpiCg==,broken", {"authorization": "Basic YTpiCg=="}),
    ],
)
def test_the_collector_s_headers_are_read_as_pairs(given: str, headers: dict[str, str]) -> None:
    assert otlp._headers(ServiceSettings(otlp_headers=SecretStr(given))) == headers


@pytest.mark.parametrize(
    ("ratio", "chance", "begins"), [(1.0, 0.99, True), (0.5, 0.49, True), (0.5, 0.5, False), (0.0, 0.0, False)]
)
def test_traces_begin_by_chance_as_often_as_settings_say(
    monkeypatch: pytest.MonkeyPatch, ratio: float, chance: float, begins: bool
) -> None:
    tracer = _tracer(ratio=ratio)
    monkeypatch.setattr(otlp._RANDOM, "random", lambda: chance)
    assert tracer.begins() is begins
    tracer.close()
