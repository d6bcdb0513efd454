"""The other door: the same decision for data planes that ask over HTTP (Traefik ForwardAuth, Envoy `ext_authz`).

They are answered plainly: 200 with the headers that the service is to be sent, or the refusal as the client is to see
it. Each names the request's method and target in `X-Forwarded-Method` and `X-Forwarded-Uri`; without them the request's
own method counts, and its own path after `/forward`. What is said there is safe to believe: a target that is not the
one that goes to the service bears a signature that the service refuses.

Who the client is, the data plane alone can say: this listener is for it and for nobody else (NetworkPolicy).
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Final

from api_gateway import problem
from api_gateway.config import Network
from api_gateway.data_plane.headers import CLIENT_ADDRESS, FORWARDED_METHOD, FORWARDED_TARGET, REMOVED
from api_gateway.decision.app import DecisionApp, Question, identity_lines
from api_gateway.decision.decide import Admission, Ask
from api_gateway.decision.server import Answer, Request, response
from api_gateway.middleware.client import client_address
from api_gateway.middleware.rate_limit import Verdict
from api_gateway.problem import Problem

PATH: Final = "/forward"

_PREFIX: Final = PATH.encode()
_METHOD: Final = FORWARDED_METHOD.lower().encode()
_TARGET: Final = FORWARDED_TARGET.lower().encode()
_ADDRESS: Final = CLIENT_ADDRESS.lower().encode()
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TWO_TOKENS: Final = Problem(problem.BAD_REQUEST, "The request has more than one Authorization header.")
_REFUSAL: Final = (
    f"Content-Type: {problem.CONTENT_TYPE}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
)
_ENVOY_REMOVES: Final = f"X-Envoy-Auth-Headers-To-Remove: {','.join(name.lower() for name in REMOVED)}\r\n"
"""Envoy takes these off the request; Traefik has them in its configuration."""


@dataclass(frozen=True, slots=True)
class _Marks:
    """What a request is called in logs and traces, by the rules of nginx's configuration."""

    request_id: str
    trace_id: str
    client_traceparent: str
    """Empty if the client sent none, or none that is one."""
    traceparent: str
    """What a service continues where the decision makes no span."""

    @classmethod
    def of(cls, request: Request) -> _Marks:
        fresh = uuid.uuid4().hex
        request_id, sent = request.get(b"x-request-id"), request.get(b"traceparent")
        request_id = request_id if _REQUEST_ID.fullmatch(request_id) else fresh
        if (found := _TRACEPARENT.fullmatch(sent)) is not None:
            return cls(request_id, found[1], sent, sent)
        return cls(request_id, fresh, "", f"00-{fresh}-{fresh[:16]}-01")


@dataclass(frozen=True, slots=True)
class _Plainly:
    """What a service is to be sent, or what the client is to see."""

    marks: _Marks
    address: str

    def admit(self, admission: Admission, traceparent: str) -> bytes:
        return response(
            200,
            f"{identity_lines(admission)}{_limit_lines(admission.verdict)}X-Request-ID: {self.marks.request_id}\r\n"
            f"traceparent: {traceparent or self.marks.traceparent}\r\nX-Forwarded-For: {self.address}\r\n"
            f"{_ENVOY_REMOVES}",
        )

    def refuse(self, answer: Problem, text: str, verdict: Verdict | None, traceparent: str) -> bytes:  # noqa: ARG002 - a form's
        own = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        limit = _limit_lines(verdict) if verdict is not None else ""
        lines = f"{_REFUSAL}X-Request-ID: {self.marks.request_id}\r\n{limit}{own}"
        return response(answer.kind.status, lines, text.encode("ascii"))


class ForwardDoor:
    """Asks as nginx would, and answers as the data plane passes it on."""

    def __init__(self, app: DecisionApp, trusted_proxies: tuple[Network, ...]) -> None:
        """Have `app` judge. `trusted_proxies` are believed what they say about the client's address."""
        self._app, self._trusted = app, trusted_proxies

    def __call__(self, request: Request) -> Answer:
        """Answer one request of a data plane's."""
        if not request.target.startswith(_PREFIX):
            return response(404)
        marks, target = _Marks.of(request), _target(request)
        address = client_address(request.get(_ADDRESS) or request.get(b"x-forwarded-for"), self._trusted)
        form = _Plainly(marks, address)
        authorization = request.headers.get(b"authorization", b"")
        if b"," in authorization:  # of two headers, or of what no token is; nginx refuses the former by itself
            text = _TWO_TOKENS.text(instance=target.partition("?")[0], trace_id=marks.trace_id)
            return form.refuse(_TWO_TOKENS, text, None, "")
        ask = Ask(request.get(_METHOD) or request.method.decode("latin-1"), target, authorization, address)
        return self._app.judge(Question(ask, marks.trace_id, marks.client_traceparent, form))


def _target(request: Request) -> str:
    """The target as it goes to the service."""
    return request.get(_TARGET) or request.target.removeprefix(_PREFIX).decode("latin-1")


def _limit_lines(verdict: Verdict) -> str:
    return f"RateLimit: {verdict.header}\r\nRateLimit-Policy: {verdict.policy.header}\r\n"
