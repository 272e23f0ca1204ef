"""OpenTelemetry's SDK as our tracer: spans in a bounded queue, sent by a thread over OTLP/HTTP. Imported only when on.

A collector that is slow or away costs the oldest spans that wait for it, and nothing else: no call ever waits.
"""

from __future__ import annotations

import logging
import socket
import threading
from random import SystemRandom

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from servicekit.core.settings import ServiceSettings
from servicekit.core.version import package_version
from servicekit.telemetry.spans import Attributes, Kind, Span
from servicekit.telemetry.trace_context import TraceContext

QUEUE_SPANS = 4096
"""Spans that wait to be sent; each one more pushes the oldest out."""
BATCH_SPANS = 512
SEND_SECONDS = 5.0
CONTENT_QUEUE_SPANS, CONTENT_BATCH_SPANS = 1024, 128
"""The same where spans hold prompts and answers: with the most of both, some 64 MB."""
ATTRIBUTE_CHARS, CONTENT_CHARS = 256, 16_384
"""Of one attribute; of one that holds a prompt or an answer."""
EVERY_SECONDS = 1.0
CLOSE_SECONDS = 2.0
PATH = "/v1/traces"
_RANDOM = SystemRandom()
_KINDS = {kind.name.lower(): kind for kind in SpanKind}


class OtlpTracer:
    """The tracer of one process."""

    def __init__(self, settings: ServiceSettings, service: str) -> None:
        self._ratio = settings.trace_ratio
        for name in ("opentelemetry", "urllib3"):
            logging.getLogger(name).setLevel(logging.ERROR)  # a collector that is away says so once in 20 s
        exporter = OTLPSpanExporter(
            endpoint=_url(settings.otlp_endpoint), headers=_headers(settings), timeout=SEND_SECONDS
        )
        with_content = settings.captures_content
        self._processor = BatchSpanProcessor(
            exporter,
            max_queue_size=CONTENT_QUEUE_SPANS if with_content else QUEUE_SPANS,
            max_export_batch_size=CONTENT_BATCH_SPANS if with_content else BATCH_SPANS,
            schedule_delay_millis=EVERY_SECONDS * 1000,
        )
        resource = Resource(
            {
                "service.name": service,
                "service.namespace": "groundwork",
                "service.version": package_version(service),
                "service.instance.id": f"{socket.gethostname()}:{_RANDOM.getrandbits(32):08x}",
            }
        )
        longest = CONTENT_CHARS if with_content else ATTRIBUTE_CHARS
        limits = SpanLimits(max_attributes=64, max_events=0, max_links=8, max_attribute_length=longest)
        # Not the process's global provider: libraries that trace by themselves would put in what we keep out.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, span_limits=limits)
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("groundwork", package_version(service))

    def begins(self) -> bool:
        """By chance, as often as settings say."""
        return self._ratio >= 1.0 or _RANDOM.random() < self._ratio

    def span(self, name: str, kind: Kind, parent: TraceContext | None, attributes: Attributes) -> Span:
        """A span that has begun."""
        began = self._tracer.start_span(
            name,
            context=set_span_in_context(NonRecordingSpan(_sdk_context(parent))) if parent else None,
            kind=_KINDS[kind],
            attributes={key: value for key, value in attributes.items() if value is not None},
            record_exception=False,  # its message may quote a document
            set_status_on_exception=False,
        )
        return Span(began, parent.state if parent else "")

    def close(self) -> None:
        """Send what is left; a collector that does not answer holds nobody up for longer than `CLOSE_SECONDS`."""
        sending = threading.Thread(target=self._processor.shutdown, name="last spans", daemon=True)
        sending.start()
        sending.join(CLOSE_SECONDS)


def _sdk_context(context: TraceContext) -> SpanContext:
    state = TraceState.from_header([context.state]) if context.state else None
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), True, flags, state)


def _url(endpoint: str) -> str:
    base = endpoint.rstrip("/")
    return base if base.endswith(PATH) else base + PATH


def _headers(settings: ServiceSettings) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in settings.otlp_headers.get_secret_value().split(",") if "=" in pair)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
