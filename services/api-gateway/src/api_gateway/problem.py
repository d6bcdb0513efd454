"""The gateway's own errors, as problem documents (RFC 9457)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from shared.exceptions.problem import problem_document

CONTENT_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of error: its status, its slug (the last part of `type`) and its title."""

    status: int
    slug: str
    title: str


BAD_REQUEST: Final = Kind(400, "bad-request", "Bad Request")
NOT_AUTHENTICATED: Final = Kind(401, "not-authenticated", "Unauthorized")
FORBIDDEN: Final = Kind(403, "forbidden", "Forbidden")
NOT_FOUND: Final = Kind(404, "not-found", "Not Found")
METHOD_NOT_ALLOWED: Final = Kind(405, "method-not-allowed", "Method Not Allowed")
TOO_LARGE: Final = Kind(413, "payload-too-large", "Content Too Large")
TARGET_TOO_LONG: Final = Kind(414, "target-too-long", "URI Too Long")
RATE_LIMITED: Final = Kind(429, "rate-limited", "Too Many Requests")
HEADERS_TOO_LARGE: Final = Kind(431, "headers-too-large", "Request Header Fields Too Large")
BAD_GATEWAY: Final = Kind(502, "service-unreachable", "Bad Gateway")
UNAVAILABLE: Final = Kind(503, "unavailable", "Service Unavailable")
MAINTENANCE: Final = Kind(503, "maintenance", "Service Unavailable")
UPSTREAM_TIMEOUT: Final = Kind(504, "service-timed-out", "Gateway Timeout")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that the gateway itself answers with."""

    kind: Kind
    detail: str
    headers: dict[str, str] = field(default_factory=dict)

    def text(self, *, instance: str, trace_id: str) -> str:
        """Return the document on one line of ASCII, fit for a header's value."""
        return document(self.kind, self.detail, instance=instance, trace_id=trace_id)


def document(kind: Kind, detail: str, *, instance: str, trace_id: str) -> str:
    """Return a problem document on one line of ASCII."""
    content = problem_document(
        status=kind.status, slug=kind.slug, title=kind.title, detail=detail, instance=instance, trace_id=trace_id
    )
    return json.dumps(content, ensure_ascii=True, separators=(",", ":"))
