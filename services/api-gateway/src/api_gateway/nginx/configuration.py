"""nginx's configuration, written from settings, the compiled routes and the services' present addresses."""

from __future__ import annotations

import os
import pwd
import textwrap
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from api_gateway import problem
from api_gateway.config import NginxSettings
from api_gateway.nginx import cors, listeners
from api_gateway.nginx.text import fill, lines, plain_path
from api_gateway.problem import Kind, document
from api_gateway.routing import Carriage, CompiledTable
from api_gateway.target import CANONICAL_PATH, CANONICAL_TARGET

PASSED_HEADERS: Final = (
    "Accept", "Accept-Encoding", "Accept-Language", "Content-Encoding", "Content-Type", "Idempotency-Key", "If-Match",
    "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Last-Event-ID", "Prefer", "Range",
    "User-Agent",
)  # fmt: skip
"""Request headers that every service is given; what an operation declares as a header parameter is added."""

_OWN_PROBLEMS: Final[tuple[tuple[Kind, str, str], ...]] = (
    (problem.BAD_REQUEST, "The request could not be read, or its target is not in canonical form.", ""),
    (problem.NOT_FOUND, "There is nothing at this path.", ""),
    (problem.METHOD_NOT_ALLOWED, "The method is not answered here.", ""),
    (problem.TOO_LARGE, "The body is larger than $max_body_bytes bytes.", ""),
    (problem.TARGET_TOO_LONG, "The request line is too long.", ""),
    (problem.HEADERS_TOO_LARGE, "A header, or all of them together, is too long.", ""),
    (problem.BAD_GATEWAY, "The service behind this path can't be reached.", "2"),
    (problem.UNAVAILABLE, "The gateway can't decide at present.", "2"),
    (problem.UPSTREAM_TIMEOUT, "The service behind this path took too long.", "2"),
)
_REFUSALS: Final = (400, 401, 404, 405, 429, 503)  # 403 is the last word in any case
_UNRESOLVED: Final = "127.0.0.1:1 down"
_DOCS_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_INCLUDED: Final = ("answer.conf", "docs.conf", "health.conf", "healthz.conf", "passed.conf")
_WEBSOCKET_HEADERS: Final = ("Key", "Version", "Protocol", "Extensions")


def render(
    settings: NginxSettings,
    table: CompiledTable,
    *,
    addresses: Mapping[str, list[str]],
    certificate: Path | None = None,
) -> str:
    """Return the main configuration file's text.

    `addresses`: by service, `host:port` of each place to send to; `certificate`: path of the pair to serve TLS with,
    without `.crt` and `.key`.
    """
    origins, run_dir = settings.cors_origins, plain_path(settings.gateway_run_dir)
    carriages = table.carriages
    limits = {path: each.max_body_bytes for path, each in carriages.items() if each.max_body_bytes is not None}
    values = {
        "run_dir": run_dir,
        "socket": plain_path(settings.socket_path),
        "docs_dir": plain_path(Path(str(files("api_gateway") / "docs"))),
        "docs_csp": _DOCS_POLICY,
        "workers": settings.nginx_workers,
        "drain_seconds": int(settings.gateway_drain_seconds),
        "user": _user(),
        "listeners": listeners.listeners(settings, certificate),
        "tls": listeners.tls(certificate),
        "probes": listeners.probes(settings),
        "real_ip": listeners.real_ip(settings),
        "trusted": lines((f"{network} 1;" for network in settings.trusted_proxies), indent=4),
        "believed_schemes": listeners.believed_schemes(settings),
        "read_timeout_seconds": settings.gateway_read_timeout_seconds,
        "retry_within_seconds": min(5, settings.gateway_read_timeout_seconds),
        "canonical_target": CANONICAL_TARGET,
        "canonical_path": CANONICAL_PATH,
        "upstreams": "\n".join(_upstream(settings, *each) for each in sorted(addresses.items())),
        "cors": cors.maps(origins),
        "resource_policy": "$resource_policy" if origins else "same-origin",
        "preflight": cors.preflight(origins, _passed(table.request_headers), answer_conf=f"{run_dir}/answer.conf"),
        "refusals": lines(f"if ($problem_status = {code}) {{ return {code} $problem; }}" for code in _REFUSALS),
        "problems": "\n".join(_problem_location(run_dir, *each) for each in _OWN_PROBLEMS),
        "max_body_bytes": settings.gateway_max_body_bytes,
        "body_limits": lines((f'"~^{path}$" {limit};' for path, limit in limits.items()), indent=4),
        "locations": "\n".join(_location(settings, *each) for each in carriages.items()),
    }  # fmt: skip
    return fill("nginx.conf", values)


def included(settings: NginxSettings, table: CompiledTable) -> dict[str, str]:
    """Return the texts of the files that the main one includes, by name. They don't change while the process runs."""
    more = [*listeners.answer_headers(settings), *cors.answer_headers(settings.cors_origins)]
    passed = (f"proxy_set_header {name} $http_{_variable(name)};" for name in _passed(table.request_headers))
    values = {
        "run_dir": plain_path(settings.gateway_run_dir),
        "more": lines(more, indent=0),
        "passed_headers": lines(passed, indent=0),
    }
    return {name: fill(name, values) for name in _INCLUDED}


def write(text: str, path: Path) -> None:
    """Write the file at once or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _user() -> str:
    """Name the workers' user where nginx would change it: a master that is root makes its workers `nobody`."""
    return f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""


def _upstream(settings: NginxSettings, service: str, places: list[str]) -> str:
    # A place that is alone is listed twice: nginx tries a second time only if there is a second one.
    listed = places * 2 if len(places) == 1 else places
    servers = (f"server {place} max_fails=0;" for place in listed) if listed else [f"server {_UNRESOLVED};"]
    # Granian closes a connection that was idle for 30 s: nginx lets go of it before that. And of every one after a
    # while, so that replicas that were added behind the same address get their share.
    body = [
        *servers,
        "keepalive 256;",
        "keepalive_requests 10000;",
        "keepalive_timeout 20s;",
        f"keepalive_time {settings.gateway_keepalive_seconds}s;",
    ]
    return f"  upstream {service} {{\n{lines(body, indent=4)}\n  }}"


def _passed(declared: Iterable[str]) -> list[str]:
    names = {name.lower(): name for name in PASSED_HEADERS}
    names |= {name.lower(): name for name in declared if name.lower() not in names}
    return [name for _, name in sorted(names.items())]


def _variable(header: str) -> str:
    return header.lower().replace("-", "_")


def _location(settings: NginxSettings, path: str, carriage: Carriage) -> str:
    """A location inside of the one that passes everything on; what isn't said here it has from there."""
    body = ['if ($server_protocol = "") { return 444; }']
    if carriage.max_body_bytes is not None:
        body += [f"client_max_body_size {carriage.max_body_bytes};", "proxy_request_buffering off;"]
    if carriage.stream is not None:
        timeout = settings.gateway_stream_timeout_seconds
        body += ["proxy_buffering off;", f"proxy_read_timeout {timeout}s;", f"proxy_send_timeout {timeout}s;"]
    if carriage.stream == "websocket":
        names = (f"Sec-WebSocket-{name}" for name in _WEBSOCKET_HEADERS)
        body += [
            f"include {plain_path(settings.gateway_run_dir)}/passed.conf;",
            "proxy_set_header Connection $websocket_connection;",
            "proxy_set_header Upgrade $websocket_upgrade;",
            *(f"proxy_set_header {name} $http_{_variable(name)};" for name in names),
        ]
    text = f'location ~ "^{path}$" {{\n{lines([*body, "proxy_pass http://$gateway_service;"], indent=2)}\n}}'
    return textwrap.indent(text, " " * 6)


def _problem_location(run_dir: str, kind: Kind, detail: str, wait: str) -> str:
    text = document(kind, detail, instance="$instance", trace_id="$trace_id").replace("'", "\\'")
    retry = f"\n  add_header Retry-After {wait} always;" if wait else ""
    location = f"""\
location = /_problem/{kind.status} {{
  internal;
  client_max_body_size 0;
  default_type application/problem+json;
  include {run_dir}/answer.conf;
  add_header Cache-Control no-store always;{retry}
  return {kind.status} '{text}';
}}"""
    return textwrap.indent(location, "    ")
