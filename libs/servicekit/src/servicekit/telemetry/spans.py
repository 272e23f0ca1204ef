"""Spans: what a service does for one trace, off unless a setting names a collector.

While it is off, `span` gives out one object that does nothing, and OpenTelemetry is not imported. Spans hold names,
sizes, times and ids; never a prompt, an answer, a document, a path or a message of an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Protocol

import structlog

from servicekit.core.settings import ServiceSettings
from servicekit.telemetry.trace_context import CURRENT, TraceContext

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool | tuple[str, ...] | None
Attributes = Mapping[str, Value]
NONE: Attributes = {}
PROVIDER = "groundwork"
"""`gen_ai.provider.name`: what is behind a model is known to nobody but inference, and there by its declaration."""


class Span:
    """A span; this one records nothing. As a context manager it is the parent of what happens within the block."""

    __slots__ = ()

    @property
    def context(self) -> TraceContext | None:
        """Its place in the trace; null if it is not recorded."""
        return None

    def set(self, attributes: Attributes) -> None:
        """Add attributes; null values are left out."""

    def rename(self, name: str) -> None:
        """Give it a better name, once one is known."""

    def fail(self, error: BaseException | str) -> None:
        """Mark it as failed, by the kind of the error alone."""

    def end(self) -> None:
        """It is over; for one that is not used as a context manager."""

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the block."""


NOTHING = Span()


class Tracer(Protocol):
    """Records spans and sends them away."""

    def begins(self) -> bool:
        """Whether a trace that begins here is recorded."""
        ...

    def span(self, name: str, kind: Kind, parent: TraceContext | None, attributes: Attributes) -> Span:
        """A span that has begun; without a parent it begins a trace."""
        ...

    def close(self) -> None:
        """Send what is left, for a bounded time."""
        ...


_tracer: Tracer | None = None


def configure_tracing(settings: ServiceSettings, service: str) -> None:
    """Record and export from now on, if the settings name a collector."""
    global _tracer  # one process, one exporter, like its metrics
    close_tracing()
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
    context = context or TraceContext.begin(sampled=False)
    CURRENT.set(context)
    structlog.contextvars.bind_contextvars(trace_id=context.trace_id)
    return span


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
