"""The decision process: a bare RSGI application that nginx asks about every request, over a unix socket.

RSGI is Granian's own interface: an answer is one call, where ASGI needs two messages, and no dictionary is made for a
request.

nginx's `auth_request` understands 2xx, 401 and 403 only, so a refusal is a 403 whose headers carry the real status and
the problem document; nginx answers the client with those.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from typing import Any, Final, Protocol

import structlog
from granian.rsgi import Scope

from api_gateway import problem
from api_gateway.config import DecisionSettings
from api_gateway.decision import metrics
from api_gateway.decision.decide import Admission, Ask, Decider, Refusal
from api_gateway.decision.parts import Parts, build
from api_gateway.decision.tracing import DecisionSpans, describe
from api_gateway.middleware.rate_limit import Verdict
from api_gateway.problem import Problem
from shared.telemetry.loop import watch_loop
from shared.telemetry.tracing import traceparent_of

Headers = list[tuple[str, str]]


class RequestHeaders(Protocol):
    """A request's headers, as Granian hands them over."""

    def get(self, key: str, default: str) -> str: ...


class Reply(Protocol):
    """Where an answer goes; either call ends it."""

    def response_empty(self, status: int, headers: Headers) -> None: ...

    def response_str(self, status: int, headers: Headers, body: str) -> None: ...


_SWEEP_SECONDS: Final = 30.0
_logger = structlog.get_logger(__name__)


class DecisionApp:
    """Answers `/decide` and `/health`."""

    def __init__(self, settings: DecisionSettings) -> None:
        """Connections are made when the application starts."""
        self._settings = settings
        self._parts: Parts | None = None
        self._judge = self._decide
        self._stack = contextlib.AsyncExitStack()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start; requests are served once this has returned.

        Raises:
            SystemExit: the port is taken, or there is no route table, or a bad one.
        """
        try:
            loop.run_until_complete(self._start())
        except (OSError, ValueError) as error:
            _logger.critical("gateway_cannot_start", error=str(error))
            raise SystemExit(1) from error

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go of what was started."""
        loop.run_until_complete(self._stack.aclose())

    async def __rsgi__(self, scope: Scope, reply: Reply) -> None:
        """Serve one request."""
        if self._parts is None:
            raise RuntimeError("the application was not started")
        if scope.path == "/decide":
            reply.response_empty(*await self._judge(self._parts.decider, scope.headers))
        elif scope.path == "/health":
            await self._report_health(self._parts, reply)
        else:
            reply.response_empty(404, [])

    async def _start(self) -> None:
        self._parts = await build(self._settings, self._stack)
        if self._parts.spans is not None:  # else a decision does not even ask whether it is traced
            self._judge = functools.partial(self._decide_traced, self._parts.spans)
        self._stack.enter_context(_running(self._sweep(self._parts)))
        self._stack.enter_context(_running(watch_loop()))

    async def _sweep(self, parts: Parts) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            parts.verifier.forget_expired()

    async def _decide_traced(
        self, spans: DecisionSpans, decider: Decider, headers: RequestHeaders
    ) -> tuple[int, Headers]:
        with spans.span(
            method=headers.get("x-original-method", ""),
            target=headers.get("x-original-uri", ""),
            traceparent=headers.get("x-client-traceparent", ""),
            trace_id=headers.get("x-trace-id", ""),
        ) as span:
            status, answer = await self._decide(decider, headers)
            if span.is_recording():
                told = dict(answer)
                describe(span, service=told.get("x-service", ""), problem_status=told.get("x-problem-status", ""))
        return status, [*answer, ("x-traceparent", traceparent_of(span))]

    async def _decide(self, decider: Decider, headers: RequestHeaders) -> tuple[int, Headers]:
        started = time.perf_counter()
        ask = Ask(
            method=headers.get("x-original-method", ""),
            target=headers.get("x-original-uri", ""),
            authorization=headers.get("authorization", ""),
            address=headers.get("x-client-address", ""),
        )
        try:
            admission = await decider.decide(ask)
        except Refusal as refusal:
            answer, verdict, service = refusal.answer, refusal.verdict, ""
            result = 403, _refusal_headers(answer, verdict, ask, headers.get("x-trace-id", ""))
            outcome = answer.kind.slug
        except Exception as error:  # whatever went wrong: no decision, no passage
            _logger.exception("decision_failed", error=type(error).__name__, trace_id=headers.get("x-trace-id", ""))
            failed = Problem(problem.UNAVAILABLE, "The gateway could not decide.", {"Retry-After": "2"})
            result = 403, _refusal_headers(failed, None, ask, headers.get("x-trace-id", ""))
            outcome, service = "failed", ""
        else:
            result = 200, _admission_headers(admission)
            outcome, service = "admitted", admission.service
        metrics.count(outcome, service)
        metrics.SECONDS.observe(time.perf_counter() - started)
        return result

    async def _report_health(self, parts: Parts, reply: Reply) -> None:
        services = await parts.health.ask()
        deciding = parts.decider.is_deciding
        is_up = deciding and all(services.values())
        report = {
            "status": _word(is_up),
            "gateway": _word(deciding),
            "services": {name: _word(is_ready) for name, is_ready in services.items()},
        }
        body = json.dumps(report, separators=(",", ":"))
        reply.response_str(200 if is_up else 503, [("content-type", "application/json")], body)


def _word(is_up: bool) -> str:
    return "up" if is_up else "down"


@contextlib.contextmanager
def _running(work: Any) -> Any:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()


def _admission_headers(admission: Admission) -> Headers:
    return [
        ("x-service", admission.service),
        ("x-user-id", admission.user_id),
        ("x-user-role", admission.role),
        ("x-session-id", admission.session_id),
        ("x-gateway-time", admission.time),
        ("x-gateway-signature", admission.signature),
        *_limit_headers(admission.verdict),
    ]


def _refusal_headers(answer: Problem, verdict: Verdict | None, ask: Ask, trace_id: str) -> Headers:
    text = answer.text(instance=ask.target.partition("?")[0], trace_id=trace_id)
    return [
        ("x-problem-status", str(answer.kind.status)),
        ("x-problem", text),
        *((f"x-problem-{name.lower()}", value) for name, value in answer.headers.items()),
        *(_limit_headers(verdict) if verdict is not None else ()),
    ]


def _limit_headers(verdict: Verdict) -> Headers:
    return [("x-ratelimit", verdict.header), ("x-ratelimit-policy", verdict.policy.header)]
