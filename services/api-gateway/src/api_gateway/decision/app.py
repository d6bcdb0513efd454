"""What the decision process answers: `/decide`, which nginx asks about every request, `/health`, and other data planes.

nginx's `auth_request` understands 2xx, 401 and 403 only, so a refusal is a 403 whose headers carry the real status and
the problem document; nginx answers the client with those. What other data planes are told: `forward.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple, Protocol

import structlog

from api_gateway import problem
from api_gateway.decision.decide import Admission, Ask, Decider, Refusal
from api_gateway.decision.health import ServiceHealth
from api_gateway.decision.metrics import DECISIONS
from api_gateway.decision.server import Answer, Request, response
from api_gateway.decision.tracing import DecisionSpans, describe
from api_gateway.middleware.rate_limit import Verdict
from api_gateway.problem import Problem
from shared.identity import ROLE_HEADER, SESSION_HEADER, SIGNATURE_HEADER, TIME_HEADER, USER_HEADER
from shared.telemetry.tracing import traceparent_of

_JSON: Final = "Content-Type: application/json\r\n"
_FAILED: Final = Problem(problem.UNAVAILABLE, "The gateway could not decide.", {"Retry-After": "2"})
_logger = structlog.get_logger(__name__)


class Form(Protocol):
    """How a data plane is told of a decision. `traceparent` is the decision's span, "" where none is made."""

    def admit(self, admission: Admission, traceparent: str) -> bytes:
        """The request may pass, with this identity."""
        ...

    def refuse(self, answer: Problem, text: str, verdict: Verdict | None, traceparent: str) -> bytes:
        """It may not; `text` is the problem document."""
        ...


class Question(NamedTuple):
    """What a data plane asks, and how it wants to be answered."""

    ask: Ask
    trace_id: str
    client_traceparent: str
    form: Form


class DecisionApp:
    """Answers nginx when called, and other data planes by `judge`."""

    def __init__(self, decider: Decider, health: ServiceHealth, spans: DecisionSpans | None) -> None:
        """Answer by `decider` and `health`; `spans` is None where none are exported."""
        self._decider, self._health, self._spans = decider, health, spans

    def __call__(self, request: Request) -> Answer:
        """Answer one request of nginx's, at once if memory alone can tell."""
        if request.target == b"/decide":
            return self.judge(_asked_by_nginx(request))
        if request.target == b"/health":
            return self._report_health()
        return response(404)

    def judge(self, question: Question) -> Answer:
        """Decide, at once if memory alone can tell."""
        if self._spans is not None:
            return self._judge_traced(self._spans, question)
        started = time.perf_counter()
        try:
            decided = self._decider.decide(question.ask)
        except Exception as error:  # noqa: BLE001 - an ordinary refusal, or told as a failure
            return _refused(error, question, started)
        if isinstance(decided, Admission):
            return _admitted(decided, question, started)
        return _judge_later(decided, question, started)

    async def _judge_traced(self, spans: DecisionSpans, question: Question) -> bytes:
        started, ask = time.perf_counter(), question.ask
        with spans.span(
            method=ask.method,
            target=ask.target,
            traceparent=question.client_traceparent,
            trace_id=question.trace_id,
        ) as span:
            service, status, traceparent = "", "", traceparent_of(span)
            try:
                decided = self._decider.decide(ask)
                admission = decided if isinstance(decided, Admission) else await decided
            except Exception as error:  # noqa: BLE001 - an ordinary refusal, or told as a failure
                answer = _refused(error, question, started, traceparent)
                status = str(error.answer.kind.status) if isinstance(error, Refusal) else "503"
            else:
                answer, service = _admitted(admission, question, started, traceparent), admission.service
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


async def _judge_later(decided: Coroutine[Any, Any, Admission], question: Question, started: float) -> bytes:
    try:
        admission = await decided
    except Exception as error:  # noqa: BLE001 - an ordinary refusal, or told as a failure
        return _refused(error, question, started)
    return _admitted(admission, question, started)


def _word(is_up: bool) -> str:
    return "up" if is_up else "down"


def _admitted(admission: Admission, question: Question, started: float, traceparent: str = "") -> bytes:
    DECISIONS.count("admitted", admission.service, time.perf_counter() - started)
    return question.form.admit(admission, traceparent)


def _refused(error: Exception, question: Question, started: float, traceparent: str = "") -> bytes:
    if isinstance(error, Refusal):
        answer, verdict, outcome = error.answer, error.verdict, error.answer.kind.slug
    else:  # whatever went wrong: no decision, no passage
        _logger.error("decision_failed", error=type(error).__name__, trace_id=question.trace_id, exc_info=error)
        answer, verdict, outcome = _FAILED, None, "failed"
    DECISIONS.count(outcome, "", time.perf_counter() - started)
    text = answer.text(instance=question.ask.target.partition("?")[0], trace_id=question.trace_id)
    return question.form.refuse(answer, text, verdict, traceparent)


def identity_lines(admission: Admission) -> str:
    """Return the header lines that a service believes."""
    principal = admission.principal
    return (
        f"{USER_HEADER}: {principal.user_id}\r\n{ROLE_HEADER}: {principal.role}\r\n"
        f"{SESSION_HEADER}: {principal.session_id}\r\n{TIME_HEADER}: {admission.time}\r\n"
        f"{SIGNATURE_HEADER}: {admission.signature}\r\n"
    )


class _ForNginx:
    """Every answer in headers; nginx turns them into the client's."""

    def admit(self, admission: Admission, traceparent: str) -> bytes:
        lines = f"X-Service: {admission.service}\r\n{identity_lines(admission)}{_limit_lines(admission.verdict)}"
        return response(200, lines + _traceparent_line(traceparent))

    def refuse(self, answer: Problem, text: str, verdict: Verdict | None, traceparent: str) -> bytes:
        own = "".join(f"X-Problem-{name}: {value}\r\n" for name, value in answer.headers.items())
        limit = _limit_lines(verdict) if verdict is not None else ""
        lines = f"X-Problem-Status: {answer.kind.status}\r\nX-Problem: {text}\r\n{own}{limit}"
        return response(403, lines + _traceparent_line(traceparent))


def _limit_lines(verdict: Verdict) -> str:
    return f"X-RateLimit: {verdict.header}\r\nX-RateLimit-Policy: {verdict.policy.header}\r\n"


def _traceparent_line(traceparent: str) -> str:
    return f"X-Traceparent: {traceparent}\r\n" if traceparent else ""


_FOR_NGINX: Final = _ForNginx()


def _asked_by_nginx(request: Request) -> Question:
    ask = Ask(
        request.get(b"x-original-method"),
        request.get(b"x-original-uri"),
        request.headers.get(b"authorization", b""),
        request.get(b"x-client-address"),
    )
    return Question(ask, request.get(b"x-trace-id"), request.get(b"x-client-traceparent"), _FOR_NGINX)
