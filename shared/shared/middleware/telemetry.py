"""A span and the RED metrics (rate, errors, duration) of each request."""

import time

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry.tracing import TRACE_ID_SCOPE_KEY, context_of, trace_id, tracer

REQUESTS = Counter("http_requests", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time from a request's arrival to the end of its answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REQUESTS_IN_PROGRESS = Gauge("http_requests_in_progress", "Requests that are being answered.")

UNMATCHED = "unmatched"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class TelemetryMiddleware:
    """Continues the gateway's trace (W3C ``traceparent``) or begins one; counts by route template, never by path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        status = 500
        started = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        span = _begin(scope, method)
        with trace.use_span(span, end_on_exit=True, record_exception=False):
            scope[TRACE_ID_SCOPE_KEY] = trace_id()
            try:
                with REQUESTS_IN_PROGRESS.track_inprogress():
                    await self._app(scope, receive, watched)
            finally:
                route = route_template(scope)
                REQUESTS.labels(method, route, str(status)).inc()
                REQUEST_SECONDS.labels(method, route).observe(time.perf_counter() - started)
                if span.is_recording():
                    _describe(span, method, route, status)


def _begin(scope: Scope, method: str) -> Span:
    if scope["path"].startswith("/health"):  # what is asked every few seconds makes no trace
        return trace.INVALID_SPAN
    told = [value for name, value in scope["headers"] if name == b"traceparent"]
    context = context_of(told[0].decode("latin-1") if len(told) == 1 else None)
    return tracer.start_span(method, context=context, kind=SpanKind.SERVER)


def _describe(span: Span, method: str, route: str, status: int) -> None:
    span.update_name(f"{method} {route}")
    span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))


def route_template(scope: Scope) -> str:
    """The template of the route that answered (``/api/users/{user_id}``), ``unmatched`` if none did."""
    # A route of a router inside a router knows only its own part; FastAPI notes the whole beside it.
    whole = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(whole or scope.get("route"), "path", None)
    return path if isinstance(path, str) else UNMATCHED
