"""Which service has the paths below a prefix: all that a data plane needs to know of the routes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from api_gateway.compile import compile_table, read_documents
from api_gateway.routing import CompiledTable, Route, RouteTableError

_SERVICES: Final = Path(__file__).resolve().parents[4]
_SHORTEST: Final = 2
"""Segments: `/api/courses`."""


def prefixes(routes: Iterable[Route]) -> dict[str, str]:
    """Return the service of each prefix, the shortest ones that no two services share.

    Raises:
        RouteTableError: only a parameter tells two services' paths apart.
    """
    return dict(sorted(_split(list(routes), _SHORTEST).items()))


def _split(routes: list[Route], length: int) -> dict[str, str]:
    groups: defaultdict[str, list[Route]] = defaultdict(list)
    for route in routes:
        groups["/" + "/".join(route.segments[:length])].append(route)
    found: dict[str, str] = {}
    for prefix, group in groups.items():
        services = sorted({route.service for route in group})
        if "{" in prefix or (len(services) > 1 and any(len(route.segments) <= length for route in group)):
            raise RouteTableError(
                f"{prefix} belongs to {' and '.join(services)}: a data plane that goes by prefix can't choose"
            )
        found |= {prefix: services[0]} if len(services) == 1 else _split(group, length + 1)
    return found


def checkout_table() -> CompiledTable:
    """Return the table of the routes that the services of this checkout declare."""
    return compile_table(read_documents(map(str, sorted(_SERVICES.glob("*-service/openapi.json")))))
