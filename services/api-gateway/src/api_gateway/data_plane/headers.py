"""The request headers that a data plane replaces or removes before a service is asked."""

from __future__ import annotations

from typing import Final

from shared.identity import ROLE_HEADER, SESSION_HEADER, SIGNATURE_HEADER, TIME_HEADER, USER_HEADER

FORWARDED_METHOD: Final = "X-Forwarded-Method"
FORWARDED_TARGET: Final = "X-Forwarded-Uri"
"""How a data plane tells of the request that it asks about; never taken from a client."""
CLIENT_ADDRESS: Final = "X-Envoy-External-Address"
"""Envoy's word for the client, which it takes from no client. Of `X-Forwarded-For` it sends its own address last."""

ASKED_WITH: Final = ("Authorization", "X-Request-ID", "traceparent")
"""What of a client's headers the decision looks at, beside what the data plane itself says of the request."""

REPLACED: Final = (
    USER_HEADER, ROLE_HEADER, SESSION_HEADER, TIME_HEADER, SIGNATURE_HEADER, "X-Request-ID", "traceparent",
    "X-Forwarded-For",
)  # fmt: skip
"""Set to what the decision answers, whatever the client sent. An admission has every one of them."""

REMOVED: Final = (
    "Authorization", "Cookie", "Proxy-Authorization", "tracestate", "baggage", "Forwarded", FORWARDED_METHOD,
    FORWARDED_TARGET, CLIENT_ADDRESS, "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix",
    "X-Forwarded-Server", "X-Forwarded-User", "X-Real-IP", "X-HTTP-Method", "X-HTTP-Method-Override",
    "X-Method-Override", "X-Original-Host", "X-Original-Method", "X-Original-URI", "X-Original-URL", "X-Rewrite-URL",
)  # fmt: skip
"""Secrets that no service needs, and what might steer one past the decision."""

HIDDEN: Final = (
    "Server", "X-Powered-By", "X-Accel-Redirect", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
)  # fmt: skip
"""Headers of a service's answer that are nobody's business outside, or not a service's to say: who reads across origins
is for a data plane to grant, which adds its own behind this."""
