"""Aware UTC time, from a clock that a test can set."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


class Clock(Protocol):
    """Where code that depends on time takes it from."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return utc_now()


class FixedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = _aware(now or utc_now())

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        """Move the hands to ``now``."""
        self._now = _aware(now)

    def advance(self, delta: timedelta | None = None, *, seconds: float = 0) -> None:
        """Move the hands forward by ``delta`` and ``seconds`` together."""
        self._now += (delta or timedelta()) + timedelta(seconds=seconds)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone means nothing: give it tzinfo=UTC")
    return moment.astimezone(UTC)
