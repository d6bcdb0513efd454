"""The decision process: a bare ASGI application that nginx asks about every request, over a unix socket.

nginx's `auth_request` understands 2xx, 401 and 403 only, so a refusal is a 403 whose headers carry the real status and
the problem document; nginx answers the client with those.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog

from api_gateway import problem
from api_gateway.config import DecisionSettings
from api_gateway.decision import metrics
from api_gateway.decision.decide import Admission, Ask, Decider, Refusal
from api_gateway.decision.parts import Parts, build
from api_gateway.middleware.rate_limit import Verdict
from api_gateway.problem import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_NO_BODY: Final = (b"content-length", b"0")
_SWEEP_SECONDS: Final = 30.0
_logger = structlog.get_logger(__name__)


class DecisionApp:
    """Answers `/decide` and `/health`."""

    def __init__(self, settings: DecisionSettings) -> None:
        """Connections are made when the application starts."""
        self._settings = settings
        self._parts: Parts | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._parts is None:
            raise RuntimeError("the application was not started")
        elif scope["path"] == "/decide":
            await _respond(send, *await self._decide(self._parts.decider, scope["headers"]))
        elif scope["path"] == "/health":
            await self._report_health(self._parts, send)
        else:
            await _respond(send, 404, [_NO_BODY])

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with contextlib.AsyncExitStack() as stack:
            try:
                self._parts = await build(self._settings, stack)
            except (OSError, ValueError) as error:  # the port is taken; no route table, or a bad one
                _logger.critical("gateway_cannot_start", error=str(error))
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            stack.enter_context(_running(self._sweep(self._parts)))
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _sweep(self, parts: Parts) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            parts.verifier.forget_expired()

    async def _decide(self, decider: Decider, headers: Headers) -> tuple[int, Headers]:
        started = time.perf_counter()
        asked = {name: value.decode("latin-1") for name, value in headers}
        ask = Ask(
            method=asked.get(b"x-original-method", ""),
            target=asked.get(b"x-original-uri", ""),
            authorization=asked.get(b"authorization", ""),
            address=asked.get(b"x-client-address", ""),
        )
        try:
            admission = await decider.decide(ask)
        except Refusal as refusal:
            answer, verdict, service = refusal.answer, refusal.verdict, ""
            result = 403, _refusal_headers(answer, verdict, ask, asked.get(b"x-trace-id", ""))
            outcome = answer.kind.slug
        except Exception as error:  # whatever went wrong: no decision, no passage
            _logger.exception("decision_failed", error=type(error).__name__)
            failed = Problem(problem.UNAVAILABLE, "The gateway could not decide.", {"Retry-After": "2"})
            result = 403, _refusal_headers(failed, None, ask, asked.get(b"x-trace-id", ""))
            outcome, service = "failed", ""
        else:
            result = 200, _admission_headers(admission)
            outcome, service = "admitted", admission.service
        metrics.count(outcome, service)
        metrics.SECONDS.observe(time.perf_counter() - started)
        return result

    async def _report_health(self, parts: Parts, send: Send) -> None:
        services = await parts.health.ask()
        deciding = parts.decider.is_deciding
        is_up = deciding and all(services.values())
        report = {
            "status": _word(is_up),
            "gateway": _word(deciding),
            "services": {name: _word(is_ready) for name, is_ready in services.items()},
        }
        body = json.dumps(report, separators=(",", ":")).encode("ascii")
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await _respond(send, 200 if is_up else 503, headers, body)


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
        (b"x-service", admission.service.encode("ascii")),
        (b"x-user-id", admission.user_id.encode("ascii")),
        (b"x-user-role", admission.role.encode("ascii")),
        (b"x-session-id", admission.session_id.encode("ascii")),
        (b"x-gateway-time", admission.time.encode("ascii")),
        (b"x-gateway-signature", admission.signature.encode("ascii")),
        *_limit_headers(admission.verdict),
        _NO_BODY,
    ]


def _refusal_headers(answer: Problem, verdict: Verdict | None, ask: Ask, trace_id: str) -> Headers:
    text = answer.text(instance=ask.target.partition("?")[0], trace_id=trace_id)
    return [
        (b"x-problem-status", b"%d" % answer.kind.status),
        (b"x-problem", text.encode("ascii")),
        *((b"x-problem-" + name.lower().encode("ascii"), value.encode("ascii"))
          for name, value in answer.headers.items()),
        *(_limit_headers(verdict) if verdict is not None else ()),
        _NO_BODY,
    ]  # fmt: skip


def _limit_headers(verdict: Verdict) -> Headers:
    return [
        (b"x-ratelimit", verdict.header.encode("ascii")),
        (b"x-ratelimit-policy", verdict.policy.header.encode("ascii")),
    ]


async def _respond(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
