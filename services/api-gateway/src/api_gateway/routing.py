"""The compiled route table: which service answers a method and path, and who may call it.

A path that no template matches has no route (404); a method that its template lacks is refused (405). Nothing is
matched by prefix. Looking a path up costs one step a segment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.access import reads_token
from shared.api_keys import Scope, scope_of
from shared.identity import Role

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
ACCESS: Final = frozenset({"public", "authenticated", "student", "instructor", "admin"})
RATES: Final = frozenset({"default", "heavy", "login", "public"})
STREAMS: Final = frozenset({"sse", "websocket"})
_LARGEST_INTEGER: Final = 2**63 - 1
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_STATIC: Final = re.compile(r"[A-Za-z0-9._~-]+")
_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class RouteTableError(ValueError):
    """The routes contradict one another, or one of them can't be carried out as declared."""


def _is_integer(segment: str) -> bool:
    return segment.isascii() and segment.isdigit() and len(segment) <= 19 and int(segment) <= _LARGEST_INTEGER


def _is_uuid(segment: str) -> bool:
    return _UUID.fullmatch(segment) is not None


def _is_text(segment: str) -> bool:
    return segment != ""


KINDS: Final[dict[str, Callable[[str], bool]]] = {"integer": _is_integer, "uuid": _is_uuid, "string": _is_text}
"""What a path parameter may hold, the narrowest kind first."""
_PATTERNS: Final = {"integer": "[0-9]+", "uuid": "[0-9a-fA-F-]+", "string": "[^/]+"}


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of one service."""

    service: str
    method: str
    path: str
    allow: tuple[str, ...]
    rate: str
    parameters: dict[str, str] = field(default_factory=dict)
    max_body_bytes: int | None = None
    """The largest body it takes, streamed; None: the usual limit."""
    api_keys: bool = True
    """Whether it may be called with an API key; one needs `scope`."""
    stream: str | None = None
    """How its answer goes on for long: `sse` or `websocket`; None: it is an ordinary one."""

    def __post_init__(self) -> None:
        """Refuse a route that can't be carried out as declared."""
        where = f"{self.service}: {self.method} {self.path}"
        if self.method not in METHODS:
            raise RouteTableError(f"{where}: the method must be one of {', '.join(METHODS)}")
        if not self.allow or not ACCESS.issuperset(self.allow):
            raise RouteTableError(f"{where}: 'allow' must name one or more of {', '.join(sorted(ACCESS))}")
        if self.rate not in RATES:
            raise RouteTableError(f"{where}: 'rate' must be one of {', '.join(sorted(RATES))}")
        if self.max_body_bytes is not None and self.max_body_bytes <= 0:
            raise RouteTableError(f"{where}: 'maxBodyBytes' must be positive")
        if not isinstance(self.api_keys, bool):
            raise RouteTableError(f"{where}: 'apiKeys' must be true or false")
        try:
            scope_of(self.service, self.method)
        except ValueError as error:
            raise RouteTableError(f"{where}: {error}: give the service its scopes in shared.api_keys") from error
        if self.stream is not None and (self.stream not in STREAMS or self.method != "GET"):
            raise RouteTableError(f"{where}: 'stream' must be one of {', '.join(sorted(STREAMS))}, of a GET")
        self._check_path(where)

    def _check_path(self, where: str) -> None:
        for segment in self.segments:
            parameter = _PARAMETER.fullmatch(segment)
            if parameter is None and _STATIC.fullmatch(segment) is None:
                raise RouteTableError(f"{where}: the segment {segment!r} is neither plain text nor one parameter")
            if parameter is not None and self.parameters.get(parameter[1]) not in KINDS:
                raise RouteTableError(f"{where}: the parameter {parameter[1]!r} has no known type")

    @property
    def segments(self) -> list[str]:
        """The path's segments, parameters in braces."""
        return self.path[1:].split("/")

    @property
    def kinds(self) -> list[str]:
        """For each segment its text, or `{kind}` for a parameter."""
        return [
            "{" + self.parameters[segment[1:-1]] + "}" if segment.startswith("{") else segment
            for segment in self.segments
        ]

    @property
    def pattern(self) -> str:
        """A regular expression, without anchors, for the paths that its template matches; it may match some more."""
        return "".join(
            "/" + (_PATTERNS[kind[1:-1]] if kind.startswith("{") else re.escape(kind)) for kind in self.kinds
        )

    @property
    def is_public(self) -> bool:
        """Whether anybody may call it, with or without a token."""
        return "public" in self.allow

    @property
    def reads_token(self) -> bool:
        """Whether a token or an API key is looked at."""
        return reads_token(self.method, self.allow)

    @property
    def scope(self) -> Scope:
        """What an API key needs for it."""
        return scope_of(self.service, self.method)

    def admits(self, role: str) -> bool:
        """Whether a person of this role, or anybody at all, may call it."""
        return self.is_public or role in self.allow or ("authenticated" in self.allow and role != Role.ANONYMOUS)


def may_overlap(one: Route, other: Route) -> bool:
    """Return whether a path exists that both templates match, both being of the same method."""
    if one.method != other.method or len(one.segments) != len(other.segments):
        return False
    return all(map(_segments_overlap, one.kinds, other.kinds))


def _segments_overlap(one: str, other: str) -> bool:
    if one == other:
        return True
    if one.startswith("{") and other.startswith("{"):
        return "{string}" in (one, other)
    if other.startswith("{"):
        one, other = other, one
    return one.startswith("{") and KINDS[one[1:-1]](other)


class _Node:
    __slots__ = ("kinds", "routes", "static")

    def __init__(self) -> None:
        self.static: dict[str, _Node] = {}
        self.kinds: list[tuple[Callable[[str], bool], _Node]] = []
        self.routes: dict[str, Route] = {}

    def find(self, segments: list[str], depth: int) -> dict[str, Route] | None:
        if depth == len(segments):
            return self.routes or None
        segment = segments[depth]
        if (child := self.static.get(segment)) is not None and (found := child.find(segments, depth + 1)) is not None:
            return found
        for fits, child in self.kinds:
            if fits(segment) and (found := child.find(segments, depth + 1)) is not None:
                return found
        return None


class RouteTable:
    """All routes, by path and method."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Build the lookup structure.

        Raises:
            RouteTableError: two routes claim the same method and path.
        """
        self.routes = sorted(routes, key=lambda route: (route.path, route.method))
        self._root = _Node()
        for route in self.routes:
            self._add(route)
        self._exact = {
            route.path: found
            for route in self.routes
            if "{" not in route.path and (found := self._root.find(route.segments, 0)) is not None
        }

    def _add(self, route: Route) -> None:
        node = self._root
        for kind in route.kinds:
            if not kind.startswith("{"):
                node = node.static.setdefault(kind, _Node())
                continue
            fits = KINDS[kind[1:-1]]
            known = next((child for known, child in node.kinds if known is fits), None)
            if known is None:
                known = _Node()
                node.kinds.append((fits, known))
                node.kinds.sort(key=lambda pair: [*KINDS.values()].index(pair[0]))
            node = known
        if (taken := node.routes.get(route.method)) is not None:
            raise RouteTableError(f"{route.method} {route.path} is declared by {taken.service} and by {route.service}")
        node.routes[route.method] = route

    def find(self, path: str) -> dict[str, Route] | None:
        """Return the routes of `path` (raw, canonical, without query) by method, or None where there are none."""
        found = self._exact.get(path)
        return found if found is not None else self._root.find(path[1:].split("/"), 0)

    @property
    def services(self) -> list[str]:
        """The services that routes lead to."""
        return sorted({route.service for route in self.routes})


@dataclass(frozen=True, slots=True)
class Carriage:
    """How what goes to a path is carried, where that isn't as usual."""

    max_body_bytes: int | None = None
    stream: str | None = None


@dataclass(frozen=True, slots=True)
class CompiledTable:
    """What `python -m api_gateway.compile` writes and both containers read."""

    routes: list[Route]
    request_headers: list[str]
    """Request headers, lower case, that some operation declares as parameters and that are therefore passed on."""

    @property
    def carriages(self) -> dict[str, Carriage]:
        """By path pattern, where a route declares something. nginx chooses by path alone: the largest body of a path's
        methods counts, and the service holds the others to theirs."""
        found: dict[str, Carriage] = {}
        for route in self.routes:
            if route.max_body_bytes is None and route.stream is None:
                continue
            known = found.get(route.pattern, Carriage())
            limits = [limit for limit in (known.max_body_bytes, route.max_body_bytes) if limit is not None]
            found[route.pattern] = Carriage(max(limits, default=None), route.stream or known.stream)
        return found

    def dump(self) -> str:
        """Return the JSON text, stable for the same content."""
        document = {"version": 2, "request_headers": self.request_headers, "routes": [asdict(r) for r in self.routes]}
        return json.dumps(document, indent=1, sort_keys=True) + "\n"

    @classmethod
    def load(cls, path: Path) -> CompiledTable:
        """Read a compiled table.

        Raises:
            OSError: the file can't be read.
            RouteTableError: it is of another version, or a route in it is not valid.
        """
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document.get("version") != 2:
            raise RouteTableError(f"{path} is not a route table of version 2: compile it again")
        routes = [Route(**route | {"allow": tuple(route["allow"])}) for route in document["routes"]]
        return cls(routes=routes, request_headers=document["request_headers"])
