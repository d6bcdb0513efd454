"""Where the services are at present.

nginx looks a name up once, when it reads its configuration, and only a name in `upstream` keeps connections open. So
names are looked up here, again and again, and nginx is given addresses.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping

from pydantic import HttpUrl


def resolve(services: Mapping[str, HttpUrl], known: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return `host:port` of every address of each service; what can't be looked up keeps its `known` addresses."""
    return {name: _places(url) or known.get(name, []) for name, url in services.items()}


def _places(url: HttpUrl) -> list[str]:
    host, port = (url.host or "").strip("[]"), url.port or 80
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({_place(str(address[0]), port) for *_, address in found})


def _place(address: str, port: int) -> str:
    is_v6 = ipaddress.ip_address(address.partition("%")[0]).version == 6
    return f"[{address}]:{port}" if is_v6 else f"{address}:{port}"
