"""Log lines of the services and the operator, which are JSON, made readable; other programs' lines stay as they are."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?")
DROPPED = frozenset({"service", "logger"})
"""The prefix says which service it is."""
LEVELS = {"warn": "warning", "fatal": "critical", "exception": "error"}


@dataclass(frozen=True)
class Line:
    """A line; of one that is not JSON only the message is known. `stamp` is when the kubelet took it down."""

    stamp: str
    message: str
    level: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    trailer: str = ""
    """What has lines of its own: a traceback."""

    @property
    def time(self) -> str:
        """The time of day, to the millisecond, in UTC."""
        clock = self.stamp.partition("T")[2].rstrip("Z")
        whole, _, fraction = clock.partition(".")
        return f"{whole}.{fraction[:3]:0<3}" if clock else ""


def split(text: str) -> tuple[str, str]:
    """Return the kubelet's stamp, empty if there is none, and the line."""
    match = STAMP.match(text)
    return (match[1], text[match.end() :]) if match else ("", text)


def parse(text: str) -> Line:
    """Return a line that the API gave with its stamp."""
    stamp, line = split(text)
    if not line.startswith("{"):
        return Line(stamp, line)
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return Line(stamp, line)
    level = str(found.pop("level", "") or found.pop("severity", "")).lower()
    message = str(found.pop("message", None) or found.pop("event", None) or found.pop("msg", ""))
    own_stamp = str(found.pop("time", None) or found.pop("timestamp", None) or stamp)
    trailer = str(found.pop("exception", "") or "")
    kept = {key: value for key, value in found.items() if key not in DROPPED and value not in (None, "", {}, [])}
    fields = dict(sorted(kept.items(), key=lambda field: field[0].endswith("_id")))  # what people read comes first
    return Line(stamp or own_stamp, message, LEVELS.get(level, level), fields, trailer)


def shown(value: Any) -> str:
    """Return a field's value as it reads best: a word as it is, what has blanks in quotes."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if isinstance(value, str) and re.search(r"[\s\"=]", text) else text


def order(stamp: str) -> str:
    """Return what stamps are ordered by: the kubelet writes as many digits of a second as it needs, nine at most."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<9}"
