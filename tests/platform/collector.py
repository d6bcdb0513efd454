"""A receiver of OTLP/HTTP: keeps the spans that processes export, as OpenTelemetry's own messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """One exported span; ids are hexadecimal, `parent_id` is "" for a root."""

    service: str
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any] = field(hash=False)


class Collector:
    """What arrived so far."""

    def __init__(self) -> None:
        self.endpoint = ""
        self._requests: list[ExportTraceServiceRequest] = []

    def receive(self, body: bytes) -> None:
        self._requests.append(ExportTraceServiceRequest.FromString(body))

    @property
    def text(self) -> str:
        """Everything that was exported, resources and links included."""
        return "\n".join(str(request) for request in list(self._requests))

    @property
    def spans(self) -> list[Span]:
        return [
            Span(
                service=_values(resource.resource.attributes)["service.name"],
                name=span.name,
                kind=span.kind,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                attributes=_values(span.attributes),
            )
            for request in list(self._requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def trace(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def wait_for_trace(self, trace_id: str, *expected: tuple[str, str]) -> list[Span]:
        """The trace's spans, once it has all `expected` ones: pairs of service and name."""
        self.wait_for(
            lambda _: {(span.service, span.name) for span in self.trace(trace_id)} >= set(expected),
            what=f"{expected} of {trace_id}",
        )
        return self.trace(trace_id)

    def wait_for(self, found: Callable[[list[Span]], bool], *, what: str, timeout_seconds: float = 30.0) -> list[Span]:
        """All spans, once `found` holds for them."""
        deadline = time.monotonic() + timeout_seconds
        while not found(spans := self.spans):
            listed = "\n".join(f"{span.service} {span.name} {span.trace_id}" for span in spans[-50:])
            assert time.monotonic() < deadline, f"{what} did not arrive in {timeout_seconds} s, but:\n{listed}"
            time.sleep(0.1)
        return spans


@contextmanager
def collecting(host: str = "127.0.0.1") -> Iterator[Collector]:
    """Listen on a port of `host`."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                collector.receive(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    collector.endpoint = f"http://{host}:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
