"""A collector of traces on loopback: OTLP over HTTP with its real messages, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan


@dataclass(frozen=True)
class Seen:
    """A span as it arrived."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    failed: bool


@dataclass
class Collector:
    """What has arrived at `url`."""

    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    spans: list[Seen] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[Seen]:
        """One trace's spans."""
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def wait_for(self, trace_id: str, complete: Callable[[list[Seen]], bool], seconds: float = 60.0) -> list[Seen]:
        """One trace's spans as soon as it is `complete`, or what there is of it when time is up."""
        until, pause = time.monotonic() + seconds, threading.Event()
        while not complete(self.trace(trace_id)) and time.monotonic() < until:
            pause.wait(0.05)
        return self.trace(trace_id)

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """One request."""
        self.headers.append(headers)
        self.bodies.append(body)
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _attributes(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [_seen(str(resource["service.name"]), span) for span in scope.spans]


@contextmanager
def collecting(*, hang: bool = False) -> Iterator[Collector]:
    """A collector until the block ends; one that hangs takes requests and never answers."""
    collector, ended = Collector(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if hang:
                ended.wait()
                return
            assert self.path == "/v1/traces"
            collector.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: pytest's output is for pytest."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield collector
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _seen(service: str, span: Any) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        kind=WireSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes=_attributes(span.attributes),
        failed=span.status.code == 2,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        found[pair.key] = [each.string_value for each in value.values] if kind == "array_value" else value
    return found
