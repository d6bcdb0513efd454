"""Spans of decisions: what of a client's trace is continued, and who decides what is recorded."""

from __future__ import annotations

import socket
import time

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from api_gateway.decision.tracing import DecisionSpans, describe
from api_gateway.routing import Route, RouteTable
from shared.telemetry.tracing import FLUSH_SECONDS, traceparent_of

CLIENT, SPAN, REQUEST = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "0af7651916cd43dd8448eb211c80319c"
ROUTES = RouteTable([Route("course", "GET", "/api/courses/{id}", ("public",), "default", {"id": "integer"})])


@pytest.fixture
def spans(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> DecisionSpans:
    """With `OTEL_TRACES_SAMPLER_ARG` of the test's parameter; nobody listens at the endpoint."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", getattr(request, "param", "1"))
    return DecisionSpans("api-gateway", "http://127.0.0.1:9", ROUTES)


def decide(spans: DecisionSpans, *, flags: str | None, method: str = "GET") -> tuple[ReadableSpan, str]:
    traceparent = "" if flags is None else f"00-{CLIENT}-{SPAN}-{flags}"
    target = "/api/courses/17?q=ada@example.org"
    with spans.span(method=method, target=target, traceparent=traceparent, trace_id=REQUEST) as span:
        describe(span, service="course", problem_status="")
    return span, traceparent_of(span)  # type: ignore[return-value]


def test_a_client_s_trace_is_continued(spans: DecisionSpans) -> None:
    span, told = decide(spans, flags="01")
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == SPAN
    assert told.startswith(f"00-{CLIENT}-")
    assert SPAN not in told


def test_a_trace_that_begins_here_has_the_request_s_id(spans: DecisionSpans) -> None:
    span, told = decide(spans, flags=None)
    assert span.parent is None
    assert told.split("-")[1] == REQUEST


def test_a_span_has_the_route_s_template_and_nothing_of_the_query(spans: DecisionSpans) -> None:
    span, _ = decide(spans, flags="01")
    assert span.name == "decide GET /api/courses/{id}"
    assert "ada" not in span.to_json()


@pytest.mark.parametrize("method", ["POST", "BREW", ""])
def test_what_has_no_route_shares_a_few_names(spans: DecisionSpans, method: str) -> None:
    span, _ = decide(spans, flags="01", method=method)
    assert span.name in ("decide POST", "decide OTHER")


@pytest.mark.parametrize("spans", ["0"], indirect=True)
@pytest.mark.parametrize("flags", ["01", None])
def test_a_client_cannot_demand_a_recording(spans: DecisionSpans, flags: str | None) -> None:
    _, told = decide(spans, flags=flags)
    assert int(told[-2:], 16) & 1 == 0, "services would record it"


def test_a_client_can_decline_a_recording(spans: DecisionSpans) -> None:
    span, told = decide(spans, flags="00")
    assert not span.is_recording()  # type: ignore[attr-defined]
    assert told.split("-")[1] == CLIENT
    assert int(told[-2:], 16) & 1 == 0


def test_a_receiver_that_does_not_answer_does_not_hold_up_the_end() -> None:
    with socket.socket() as deaf:  # it accepts and is silent
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        spans = DecisionSpans("api-gateway", f"http://127.0.0.1:{deaf.getsockname()[1]}", ROUTES)
        decide(spans, flags=None)
        began = time.monotonic()
        spans.close()
    assert time.monotonic() - began < FLUSH_SECONDS + 1


@pytest.mark.parametrize("spans", ["0.5"], indirect=True)
def test_a_lucky_trace_id_is_not_always_recorded(spans: DecisionSpans) -> None:
    """Samplers of a ratio go by the trace id; a client that found a good one may not use it for ever."""
    recorded = [int(decide(spans, flags="01")[1][-2:], 16) & 1 for _ in range(64)]
    assert 0 < sum(recorded) < 64
