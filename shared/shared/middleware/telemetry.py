"""A span and the RED metrics (rate, errors, duration) of each request."""

import time

from opentelemetry import propagate
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry.metrics import REQUEST_SECONDS, REQUESTS, REQUESTS_IN_PROGRESS
from shared.telemetry.tracing import TRACE_ID_SCOPE_KEY, trace_id, tracer

UNMATCHED = "unmatched"
_TRACE_HEADERS = frozenset({b"traceparent", b"tracestate"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class TelemetryMiddleware:
    """Continues the caller's trace (W3C ``traceparent``) or begins one; counts by route template, never by path."""

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

        carrier = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _TRACE_HEADERS}
        with tracer().start_as_current_span(
            method, context=propagate.extract(carrier), kind=SpanKind.SERVER, record_exception=False
        ) as span:
            scope[TRACE_ID_SCOPE_KEY] = trace_id()
            try:
                with REQUESTS_IN_PROGRESS.track_inprogress():
                    await self._app(scope, receive, watched)
            finally:
                route = route_template(scope)
                REQUESTS.labels(method, route, str(status)).inc()
                REQUEST_SECONDS.labels(method, route).observe(time.perf_counter() - started)
                span.update_name(f"{method} {route}")
                span.set_attributes(
                    {"http.request.method": method, "http.route": route, "http.response.status_code": status}
                )
                if status >= 500:
                    span.set_status(Status(StatusCode.ERROR))


def route_template(scope: Scope) -> str:
    """The template of the route that answered (``/api/users/{user_id}``), ``unmatched`` if none did."""
    # A route of a router inside a router knows only its own part; FastAPI notes the whole beside it.
    whole = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(whole or scope.get("route"), "path", None)
    return path if isinstance(path, str) else UNMATCHED
