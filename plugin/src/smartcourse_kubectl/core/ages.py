"""Spans of time, about as kubectl writes them."""

from __future__ import annotations

from datetime import datetime

MINUTE, HOUR, DAY = 60, 3600, 86400


def age(since: datetime | None, now: datetime) -> str:
    """Return the time from `since` to `now`, empty if there is no `since`."""
    return span((now - since).total_seconds()) if since else ""


def span(seconds: float) -> str:
    """Return a span as 45s, 3m10s, 50m, 5h or 12d."""
    whole = max(0, int(seconds))
    if whole < 2 * MINUTE:
        return f"{whole}s"
    if whole < 10 * MINUTE:
        return f"{whole // MINUTE}m{whole % MINUTE}s"
    if whole < 3 * HOUR:
        return f"{whole // MINUTE}m"
    return f"{whole // HOUR}h" if whole < 2 * DAY else f"{whole // DAY}d"
