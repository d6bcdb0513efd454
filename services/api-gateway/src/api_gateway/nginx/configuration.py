"""nginx's configuration, written from settings, the compiled routes and the services' present addresses."""

from __future__ import annotations

import os
import pwd
import textwrap
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from api_gateway import problem
from api_gateway.config import NginxSettings
from api_gateway.problem import Kind, document
from api_gateway.routing import CompiledTable
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


class _Percent(Template):
    """`%{name}`: nginx's own variables keep their dollar sign."""

    delimiter = "%"


def render(settings: NginxSettings, table: CompiledTable, *, addresses: Mapping[str, list[str]]) -> str:
    """Return the main configuration file's text. `addresses`: by service, `host:port` of each place to send to."""
    limits = table.body_limits
    values = {
        "run_dir": _path(settings.gateway_run_dir),
        "socket": _path(settings.socket_path),
        "routes_dir": _path(settings.gateway_routes_dir),
        "docs_dir": _path(Path(str(files("api_gateway") / "docs"))),
        "workers": settings.nginx_workers,
        "drain_seconds": int(settings.gateway_drain_seconds),
        "user": _user(),
        "listen": settings.gateway_listen,
        "read_timeout_seconds": settings.gateway_read_timeout_seconds,
        "real_ip": _real_ip(settings),
        "trusted": _lines((f"{network} 1;" for network in settings.trusted_proxies), indent=4),
        "canonical_target": CANONICAL_TARGET,
        "canonical_path": CANONICAL_PATH,
        "upstreams": "\n".join(_upstream(service, places) for service, places in sorted(addresses.items())),
        "passed_headers": _passed_headers(table.request_headers),
        "refusals": _lines(f"if ($problem_status = {code}) {{ return {code} $problem; }}" for code in _REFUSALS),
        "problems": "\n".join(_problem_location(kind, detail, wait) for kind, detail, wait in _OWN_PROBLEMS),
        "max_body_bytes": settings.gateway_max_body_bytes,
        "body_limits": _lines((f'"~^{path}$" {limit};' for path, limit in limits.items()), indent=4),
        "uploads": "\n".join(_upload_location(path, limit) for path, limit in limits.items()),
    }  # fmt: skip
    return _Percent(_template("nginx.conf.template")).substitute(values)


def write(text: str, run_dir: Path) -> Path:
    """Write the configuration into `run_dir`, at once or not at all, and return its path."""
    (run_dir / "docs.conf").write_text(_template("docs.conf.template"), encoding="utf-8")
    path = run_dir / "nginx.conf"
    draft = path.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return path


def _template(name: str) -> str:
    return (files("api_gateway.nginx") / name).read_text(encoding="utf-8")


def _path(path: Path) -> str:
    text = str(path.resolve())
    if not all(character.isalnum() or character in "/._+-" for character in text):
        raise ValueError(f"the path {text!r} has a character that nginx's configuration can't hold plainly")
    return text


def _user() -> str:
    """Name the workers' user where nginx would change it: a master that is root makes its workers `nobody`."""
    return f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""


def _real_ip(settings: NginxSettings) -> str:
    if not settings.trusted_proxies:
        return "  # No proxy is trusted: the client is whoever connects."
    trusted = (f"set_real_ip_from {network};" for network in settings.trusted_proxies)
    return _lines([*trusted, "real_ip_header X-Forwarded-For;", "real_ip_recursive on;"], indent=2)


def _upstream(service: str, places: list[str]) -> str:
    servers = (f"server {place} max_fails=0;" for place in places) if places else [f"server {_UNRESOLVED};"]
    # Granian closes a connection that was idle for 30 s: nginx lets go of it before that.
    body = [*servers, "keepalive 256;", "keepalive_requests 100000;", "keepalive_timeout 20s;"]
    return f"  upstream {service} {{\n{_lines(body, indent=4)}\n  }}"


def _passed_headers(declared: Iterable[str]) -> str:
    names = {name.lower(): name for name in PASSED_HEADERS}
    names |= {name.lower(): name for name in declared if name.lower() not in names}
    return _lines(f"proxy_set_header {name} $http_{key.replace('-', '_')};" for key, name in sorted(names.items()))


def _upload_location(path: str, max_body_bytes: int) -> str:
    """A location inside of the one that passes everything on; what isn't said here it has from there."""
    return textwrap.indent(f"""\
location ~ "^{path}$" {{
  if ($server_protocol = "") {{ return 444; }}
  client_max_body_size {max_body_bytes};
  proxy_request_buffering off;
  proxy_pass http://$gateway_service;
}}""", " " * 6)  # fmt: skip


def _problem_location(kind: Kind, detail: str, wait: str) -> str:
    text = document(kind, detail, instance="$instance", trace_id="$trace_id").replace("'", "\\'")
    retry = f"\n  add_header Retry-After {wait} always;" if wait else ""
    location = f"""\
location = /_problem/{kind.status} {{
  internal;
  client_max_body_size 0;
  default_type application/problem+json;
  add_header X-Request-ID $client_request_id always;
  add_header X-Content-Type-Options nosniff always;
  add_header Cache-Control no-store always;{retry}
  return {kind.status} '{text}';
}}"""
    return textwrap.indent(location, "    ")


def _lines(lines: Iterable[str], *, indent: int = 6) -> str:
    return textwrap.indent("\n".join(lines), " " * indent)
