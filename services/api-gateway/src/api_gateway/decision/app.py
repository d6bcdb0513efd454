"""What the decision process answers: `/decide`, which nginx asks about every request, and `/health`.

nginx's `auth_request` understands 2xx, 401 and 403 only, so a refusal is a 403 whose headers carry the real status and
the problem document; nginx answers the client with those.
"""

from __future__ import annotations

import json
import time
from typing import Final

import structlog

from api_gateway import problem
from api_gateway.decision.decide import Admission, Ask, Decider, Refusal
from api_gateway.decision.health import ServiceHealth
from api_gateway.decision.metrics import DECISIONS
from api_gateway.decision.server import Answer, Request, response
from api_gateway.decision.tracing import DecisionSpans, describe
from api_gateway.middleware.rate_limit import Verdict
from api_gateway.problem import Problem
from shared.telemetry.tracing import traceparent_of

_JSON: Final = "Content-Type: application/json\r\n"
_logger = structlog.get_logger(__name__)


class DecisionApp:
    """Answers requests of nginx's."""

    def __init__(self, decider: Decider, health: ServiceHealth, spans: DecisionSpans | None) -> None:
        """Answer by `decider` and `health`; `spans` is None where none are exported."""
        self._decider, self._health, self._spans = decider, health, spans

    def __call__(self, request: Request) -> Answer:
        """Answer one request, at once if memory alone can tell."""
        if request.target == b"/decide":
            return self._decide(request) if self._spans is None else self._decide_traced(self._spans, request)
        if request.target == b"/health":
            return self._report_health()
        return response(404)

    def _decide(self, request: Request) -> Answer:
        started = time.perf_counter()
        ask = _ask(request)
        try:
            admission = self._decider.decide_now(ask)
        except Exception as error:  # noqa: BLE001 - an ordinary refusal, or told as a failure
            return _refused(error, request, ask, started)
        return self._decide_later(request, ask, started) if admission is None else _admitted(admission, started)

    async def _decide_later(self, request: Request, ask: Ask, started: float, more: str = "") -> bytes:
        try:
            admission = await self._decider.decide(ask)
        except Exception as error:  # noqa: BLE001 - an ordinary refusal, or told as a failure
            return _refused(error, request, ask, started, more)
        return _admitted(admission, started, more)

    async def _decide_traced(self, spans: DecisionSpans, request: Request) -> bytes:
        started, ask = time.perf_counter(), _ask(request)
        with spans.span(
            method=ask.method,
            target=ask.target,
            traceparent=request.get(b"x-client-traceparent"),
            trace_id=request.get(b"x-trace-id"),
        ) as span:
            more = f"X-Traceparent: {traceparent_of(span)}\r\n"
            service, status = "", ""
            try:
                admission = await self._decider.decide(ask)
            except Exception as error:  # noqa: BLE001 - an ordinary refusal, or told as a failure
                answer = _refused(error, request, ask, started, more)
                status = str(error.answer.kind.status) if isinstance(error, Refusal) else "503"
            else:
                answer, service = _admitted(admission, started, more), admission.service
            if span.is_recording():
                describe(span, service=service, problem_status=status)
        return answer

    async def _report_health(self) -> bytes:
        services = await self._health.ask()
        deciding = self._decider.is_deciding
        is_up = deciding and all(services.values())
        report = {
            "status": _word(is_up),
            "gateway": _word(deciding),
            "services": {name: _word(is_ready) for name, is_ready in services.items()},
            "revocations": self._decider.knowledge,
            "maintenance": self._decider.maintenance_retry_seconds is not None,
        }
        return response(200 if is_up else 503, _JSON, json.dumps(report, separators=(",", ":")).encode())


def _word(is_up: bool) -> str:
    return "up" if is_up else "down"


def _ask(request: Request) -> Ask:
    headers = request.headers
    return Ask(
        headers.get(b"x-original-method", b"").decode("latin-1"),
        headers.get(b"x-original-uri", b"").decode("latin-1"),
        headers.get(b"authorization", b""),
        headers.get(b"x-client-address", b"").decode("latin-1"),
    )


def _admitted(admission: Admission, started: float, more: str = "") -> bytes:
    DECISIONS.count("admitted", admission.service, time.perf_counter() - started)
    principal = admission.principal
    return response(
        200,
        f"X-Service: {admission.service}\r\nX-User-ID: {principal.user_id}\r\nX-User-Role: {principal.role}\r\n"
        f"X-Session-ID: {principal.session_id}\r\nX-Gateway-Time: {admission.time}\r\n"
        f"X-Gateway-Signature: {admission.signature}\r\n{_limit_lines(admission.verdict)}{more}",
    )


def _refused(error: Exception, request: Request, ask: Ask, started: float, more: str = "") -> bytes:
    trace_id = request.get(b"x-trace-id")
    if isinstance(error, Refusal):
        answer, verdict, outcome = error.answer, error.verdict, error.answer.kind.slug
    else:  # whatever went wrong: no decision, no passage
        _logger.error("decision_failed", error=type(error).__name__, trace_id=trace_id, exc_info=error)
        answer, verdict, outcome = _FAILED, None, "failed"
    DECISIONS.count(outcome, "", time.perf_counter() - started)
    text = answer.text(instance=ask.target.partition("?")[0], trace_id=trace_id)
    own = "".join(f"X-Problem-{name}: {value}\r\n" for name, value in answer.headers.items())
    limit = _limit_lines(verdict) if verdict is not None else ""
    return response(403, f"X-Problem-Status: {answer.kind.status}\r\nX-Problem: {text}\r\n{own}{limit}{more}")


def _limit_lines(verdict: Verdict) -> str:
    return f"X-RateLimit: {verdict.header}\r\nX-RateLimit-Policy: {verdict.policy.header}\r\n"


_FAILED: Final = Problem(problem.UNAVAILABLE, "The gateway could not decide.", {"Retry-After": "2"})
