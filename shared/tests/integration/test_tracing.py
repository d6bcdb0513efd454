"""Spans leave by OTLP/HTTP where an endpoint is set."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from shared.testing.servers import PostgresServer

PROGRAM = """
import asyncio, os, httpx
from fastapi import APIRouter
from shared.app import create_app
from shared.config.settings import ServiceSettings
from shared.database import CurrentDatabase, Database
from shared.testing.identity import GatewayAuth

KEY = "k" * 32
router = APIRouter()

@router.get("/things/{name}")
async def thing(name: str, database: CurrentDatabase) -> None:
    await database.ping()

async def main():
    settings = ServiceSettings(service_name="example-service", metrics_port=0, gateway_identity_key=KEY,
                               otel_exporter_otlp_endpoint=os.environ["ENDPOINT"])
    app = create_app(settings, title="Example", routers=[router], database=Database(os.environ["URL"]))
    async with app.router.lifespan_context(app):
        await app.state.database.ping()  # as probes and background tasks do: nobody's request
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", auth=GatewayAuth(KEY))
        assert (await client.get("/things/7?token=hunter2")).status_code == 200

asyncio.run(main())
"""


FAILING_PROGRAM = """
import os
from contextlib import suppress
from shared.telemetry.tracing import configure_tracing, flush_traces, tracer

configure_tracing("example-service", os.environ["ENDPOINT"])
with suppress(ValueError), tracer.start_as_current_span("work"):
    raise ValueError("Key (email)=(ada@example.org) already exists")
flush_traces()
"""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    received: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()
    thread.join()


async def run(program: str, endpoint: str, **environment: str) -> None:
    own = {"ENDPOINT": endpoint, "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", program]
    await asyncio.to_thread(subprocess.run, command, env=own | environment, check=True, timeout=60)


def resources_of(received: list[ExportTraceServiceRequest]) -> list[ResourceSpans]:
    return [resource for request in received for resource in request.resource_spans]


def spans_of(received: list[ExportTraceServiceRequest]) -> list[Span]:
    return [span for resource in resources_of(received) for scope in resource.scope_spans for span in scope.spans]


async def test_a_request_and_its_queries_arrive_at_the_collector_as_one_trace(
    collector: tuple[str, list[ExportTraceServiceRequest]], postgres_server: PostgresServer
) -> None:
    endpoint, received = collector
    await run(PROGRAM, endpoint, URL=postgres_server.url("user"))
    spans = spans_of(received)
    request = next(span for span in spans if span.name == "GET /things/{name}")
    query = next(span for span in spans if span.name == "SELECT")
    assert query.trace_id == request.trace_id
    assert query.parent_span_id == request.span_id
    assert "example-service" in str(resources_of(received)[0].resource)
    assert "hunter2" not in str(received)
    assert len(spans) == 2, "a query that no request asked for made a trace of its own"


async def test_an_errors_text_stays_in_the_process(collector: tuple[str, list[ExportTraceServiceRequest]]) -> None:
    endpoint, received = collector
    await run(FAILING_PROGRAM, endpoint)
    (span,) = spans_of(received)
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert "ValueError" in str(span.events)
    assert "ada@example.org" not in str(received)
