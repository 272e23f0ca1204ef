"""Spans: what a service does for one trace, off unless a setting names a collector.

While it is off, `span` gives out one object that records nothing, and OpenTelemetry's SDK is not imported. Spans hold
names, sizes, times and ids; never a document, a path or a message of an error, and a prompt or an answer only where
the operator has opted in (`captures_content`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import structlog
from opentelemetry.trace import INVALID_SPAN, StatusCode
from opentelemetry.trace import Span as OtelSpan

from servicekit.core.settings import ServiceSettings
from servicekit.telemetry.trace_context import CURRENT, TraceContext

if TYPE_CHECKING:
    from servicekit.telemetry.otlp import OtlpTracer

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool | tuple[str, ...] | None
Attributes = Mapping[str, Value]
NONE: Attributes = {}
OPENINFERENCE_KIND = "openinference.span.kind"
CHAIN: Attributes = {OPENINFERENCE_KIND: "CHAIN"}
"""The kind of a span of several steps, for viewers of OpenInference; GenAI's conventions have no name for it."""
RERANKER: Attributes = {OPENINFERENCE_KIND: "RERANKER"}
PROVIDER = "groundwork"
"""`gen_ai.provider.name`: what is behind a model is known to nobody but inference, and there by its declaration."""
_LEFT = (asyncio.CancelledError, GeneratorExit)


class Span:
    """A span of OpenTelemetry. As a context manager it is the parent of what happens within the block."""

    __slots__ = ("_before", "_span", "context")

    def __init__(self, span: OtelSpan, state: str = "") -> None:
        self._span = span
        self._before: TraceContext | None = None
        self.context: TraceContext | None = None
        """Its place in the trace; null if it is not recorded."""
        if span.is_recording():
            ids = span.get_span_context()
            self.context = TraceContext(f"{ids.trace_id:032x}", f"{ids.span_id:016x}", sampled=True, state=state)

    def set(self, attributes: Attributes) -> None:
        """Add attributes; null values are left out."""
        if self.context is not None:
            self._span.set_attributes({key: value for key, value in attributes.items() if value is not None})

    def rename(self, name: str) -> None:
        """Give it a better name, once one is known."""
        self._span.update_name(name)

    def fail(self, error: BaseException | str) -> None:
        """Mark it as failed, by the kind of the error alone. A caller who leaves has not failed."""
        if self.context is None:
            return
        if isinstance(error, _LEFT):
            self._span.set_attribute("error.type", "cancelled")
            return
        kind = error if isinstance(error, str) else getattr(error, "code", None) or type(error).__name__
        self._span.set_attribute("error.type", str(kind))
        self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        """It is over; for one that is not used as a context manager."""
        self._span.end()

    def __enter__(self) -> Span:
        if self.context is not None:
            self._before = CURRENT.get()
            CURRENT.set(self.context)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Not by a token: an async generator may be closed in another context than it began in."""
        if self.context is None:
            return
        CURRENT.set(self._before)
        if error is not None:
            self.fail(error)
        self.end()


NOTHING = Span(INVALID_SPAN)


_tracer: OtlpTracer | None = None
_captures_content = False


def configure_tracing(settings: ServiceSettings, service: str) -> None:
    """Record and export from now on, if the settings name a collector."""
    global _tracer, _captures_content  # one process, one exporter, like its metrics
    close_tracing()
    _captures_content = settings.captures_content
    if settings.otlp_endpoint:
        from servicekit.telemetry.otlp import OtlpTracer

        _tracer = OtlpTracer(settings, service)


def close_tracing() -> None:
    """Send what is left, and record nothing any more."""
    global _tracer
    tracer, _tracer = _tracer, None
    if tracer is not None:
        tracer.close()


def enter(name: str, kind: Kind, parent: TraceContext | None, attributes: Attributes = NONE) -> Span:
    """Begin work that was asked for from outside, in its own task: it and its logs belong to the parent's trace, or to
    a new one. End the span."""
    tracer = _tracer
    if tracer is not None and (tracer.begins() if parent is None else parent.sampled):
        span = tracer.span(name, kind, parent, attributes)
        context = span.context
    else:
        span, context = NOTHING, parent
    join(context)
    return span


def join(parent: TraceContext | None) -> None:
    """Have the present task and its logs belong to the parent's trace, or to a new one without spans."""
    context = parent or TraceContext.begin(sampled=False)
    CURRENT.set(context)
    structlog.contextvars.bind_contextvars(trace_id=context.trace_id)


def span(name: str, kind: Kind = "internal", attributes: Attributes = NONE) -> Span:
    """A span within the present one. Nothing where nobody has asked for the work, or nothing is recorded."""
    tracer = _tracer
    if tracer is None:
        return NOTHING
    parent = CURRENT.get()
    return NOTHING if parent is None or not parent.sampled else tracer.span(name, kind, parent, attributes)


def is_recording() -> bool:
    """Whether the present trace is recorded here: for attributes that cost something to make."""
    parent = CURRENT.get()
    return _tracer is not None and parent is not None and parent.sampled


def captures_content() -> bool:
    """Whether the operator wants prompts and answers in spans, and the present trace is recorded."""
    return _captures_content and is_recording()


def model_call(operation: str, model: str | None, kind: Kind = "client", attributes: Attributes = NONE) -> Span:
    """A span in the words of OpenTelemetry's conventions for generative AI, e.g. `chat <model>`."""
    if _tracer is None:
        return NOTHING
    named = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": model,
        **attributes,
    }
    return span(f"{operation} {model}" if model else operation, kind, named)


def usage(input_tokens: int, output_tokens: int | None = None) -> Attributes:
    """Attributes of what a model read and wrote."""
    return {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens}
