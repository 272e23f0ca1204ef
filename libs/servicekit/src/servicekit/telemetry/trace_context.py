"""Which trace the present work belongs to: W3C trace context, in and out, whether or not anybody records spans.

Every call has a trace id, which logs and receipts name. One that comes with a `traceparent` keeps it; spans are
`tracing`'s.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(r"[\x20-\x7e]{1,512}")
_NOBODY, _NOTHING = "0" * 32, "0" * 16
SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace: what happens next is a child of `span_id`. See https://www.w3.org/TR/trace-context/."""

    trace_id: str
    span_id: str
    sampled: bool
    """Whether the spans of this trace are recorded, as was decided where it began."""
    state: str = ""
    """What other systems want to be passed on (`tracestate`)."""

    @classmethod
    def begin(cls, *, sampled: bool) -> TraceContext:
        """A trace that nobody has begun before."""
        ids = os.urandom(24).hex()
        return cls(ids[:32], ids[32:], sampled)

    @classmethod
    def read(cls, traceparent: str | None, tracestate: str | None = None) -> TraceContext | None:
        """From headers, or from what was kept of them; null if there is none that can be used."""
        found = _HEADER.fullmatch(traceparent) if traceparent else None
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        if version == "ff" or (version == "00" and more) or trace_id == _NOBODY or span_id == _NOTHING:
            return None
        state = tracestate if tracestate and _STATE.fullmatch(tracestate) else ""
        return cls(trace_id, span_id, bool(int(flags, 16) & SAMPLED), state)

    def header(self) -> str:
        """As `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


CURRENT: ContextVar[TraceContext | None] = ContextVar("trace_context", default=None)


def stop_recording() -> None:
    """Keep the spans of what the present task does next out of the trace, which its logs still name: it is work in the
    background that the call does not wait for."""
    context = CURRENT.get()
    if context is not None:
        CURRENT.set(replace(context, sampled=False))


@contextmanager
def unrecorded() -> Iterator[None]:
    """Keep the spans of what is done within the block out of the trace, which its logs still name: it is counted on a
    span around it."""
    before = CURRENT.get()
    stop_recording()
    try:
        yield
    finally:
        CURRENT.set(before)


def trace_id() -> str | None:
    """Of the trace that the present work belongs to."""
    context = CURRENT.get()
    return None if context is None else context.trace_id


def traceparent() -> str | None:
    """The present place as a header, to be kept with work that goes on later or elsewhere."""
    context = CURRENT.get()
    return None if context is None else context.header()
