"""Cross-origin requests (https://fetch.spec.whatwg.org/#http-cors-protocol): who may, and what their code may read.

A preflight is judged like every request: the decision refuses OPTIONS with 405 and the methods that the path has, or
with 404, and nginx makes 204 of the 405 where a listed origin asked. Credentials are never allowed: there are no
cookies, and a token is added by the page's own code.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from api_gateway.nginx.text import lines

_EXPOSED: Final = (
    "RateLimit, RateLimit-Policy, Retry-After, X-Request-ID, Location, ETag, Content-Disposition, WWW-Authenticate, "
    "Idempotency-Replayed"
)
_OWN_HEADERS: Final = ("Authorization", "traceparent", "X-Request-ID")
"""Request headers that stay at the gateway; what services are given is added."""
_PREFLIGHT_SECONDS: Final = 600


def maps(origins: Iterable[str]) -> str:
    """Return the maps that judge a request's origin; nothing if none is listed."""
    # nginx compares without regard to case, hence the origin as it is listed and not as it was sent.
    listed = [f'"{origin}" "{origin}";' for origin in origins]
    if not listed:
        return ""
    return f"""
  # The origin that may read the answer, as it is listed.
  map $http_origin $cors_origin {{
    default "";
{lines(listed, indent=4)}
  }}
  map $cors_origin $cors_exposed {{ "" ""; default "{_EXPOSED}"; }}
  map $cors_origin $resource_policy {{ "" same-origin; default cross-origin; }}
  map "$client_method $problem_status $cors_origin $http_access_control_request_method" $is_preflight_granted {{
    default 0;
    "~^OPTIONS 405 http[^ ]+ [A-Z]+$" 1;
  }}
"""


def answer_headers(origins: Iterable[str]) -> list[str]:
    """Return what every answer carries, also one to an origin that is not listed: caches tell them apart by it."""
    if not list(origins):
        return []
    return [
        "add_header Vary Origin always;",
        "add_header Access-Control-Allow-Origin $cors_origin always;",
        "add_header Access-Control-Expose-Headers $cors_exposed always;",
    ]


def preflight(origins: Iterable[str], passed_headers: Iterable[str], *, answer_conf: str) -> str:
    """Return the part of the refusals' location that grants preflights."""
    if not list(origins):
        return ""
    allowed = ", ".join(sorted({*_OWN_HEADERS, *passed_headers}, key=str.lower))
    return f"""\
      if ($is_preflight_granted) {{
        include {answer_conf};
        add_header Access-Control-Allow-Methods $problem_allow always;
        add_header Access-Control-Allow-Headers "{allowed}" always;
        add_header Access-Control-Max-Age {_PREFLIGHT_SECONDS} always;
        return 204;
      }}"""
