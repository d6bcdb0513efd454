"""Where nginx listens, and whom it believes about a client's address."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from api_gateway.config import NginxSettings
from api_gateway.nginx.text import lines, plain_path

_HSTS_SECONDS: Final = 31_536_000
_CIPHERS: Final = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""Of TLS 1.2, all with forward secrecy (Mozilla's intermediate profile); TLS 1.3 brings its own."""


def listeners(settings: NginxSettings, certificate: Path | None) -> str:
    """Return the main server's `listen` lines. `certificate`: the pair's path without `.crt` and `.key`."""
    proxied = " proxy_protocol" if settings.gateway_proxy_protocol else ""
    listed = [f"listen {settings.gateway_listen}{proxied} backlog=1024;"]
    if certificate is not None:
        pair = plain_path(certificate)
        listed += [
            f"listen {settings.gateway_tls_listen} ssl http2{proxied} backlog=1024;",
            f"ssl_certificate {pair}.crt;",
            f"ssl_certificate_key {pair}.key;",
        ]
    return lines(listed, indent=4)


def tls(certificate: Path | None) -> str:
    """Return how TLS is spoken, where it is."""
    if certificate is None:
        return ""
    return f"""
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_ciphers {_CIPHERS};
  ssl_prefer_server_ciphers off;
  ssl_session_cache shared:tls:8m;
  ssl_session_tickets off;
  map $https $transport_security {{ default ""; on max-age={_HSTS_SECONDS}; }}
"""


def answer_headers(settings: NginxSettings) -> list[str]:
    """Return what every answer over TLS carries."""
    has_tls = settings.gateway_tls_dir is not None
    return ["add_header Strict-Transport-Security $transport_security always;"] if has_tls else []


def real_ip(settings: NginxSettings) -> str:
    """Return who is believed about a client's address, and how it is told."""
    if not settings.trusted_proxies:
        return "  # No proxy is trusted: the client is whoever connects."
    trusted = (f"set_real_ip_from {network};" for network in settings.trusted_proxies)
    header = "proxy_protocol" if settings.gateway_proxy_protocol else "X-Forwarded-For"
    return lines([*trusted, f"real_ip_header {header};", "real_ip_recursive on;"], indent=2)


def believed_schemes(settings: NginxSettings) -> str:
    """Return the scheme that a trusted proxy states. One that speaks PROXY passes on what the client wrote."""
    return "" if settings.gateway_proxy_protocol else '"1 https" https; "1 http" http;'


def probes(settings: NginxSettings) -> str:
    """Return the server for those who ask about health and speak no PROXY protocol: the kubelet, the operator."""
    if not settings.gateway_proxy_protocol:
        return ""
    run_dir = plain_path(settings.gateway_run_dir)
    return f"""
  server {{
    listen {settings.gateway_probe_listen};
    location = /healthz {{ include {run_dir}/healthz.conf; }}
    location = /health {{ include {run_dir}/health.conf; }}
    location / {{ return 404; }}
  }}
"""
