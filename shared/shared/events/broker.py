"""The port to the message broker: what publishing and consuming need of it, whichever it is.

Delivery is at least once; events of one subject arrive in the order of ``append`` (ADR 0012 tells what else differs
between the adapters, and why). Adapters raise ``BrokerUnavailableError`` for everything that passes by itself (no
connection, time-out, still loading) and let other errors through. Positions are text of the adapter's own; another
adapter's position counts as one that was never reached.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class BrokerError(Exception):
    """The broker could not do it."""


class BrokerUnavailableError(BrokerError):
    """The broker is away; trying again later helps."""


class StreamBehindError(BrokerError):
    """The stream ends before an entry that was appended to it: the broker lost data."""

    def __init__(self, stream: str, *, expected: str, found: str) -> None:
        super().__init__(f"stream {stream} ends at {found or 'nothing'} but {expected} had been appended to it")
        self.stream, self.expected, self.found = stream, expected, found


class NoSuchGroupError(BrokerError):
    """A stream or its consumer group is gone, as after a loss of data; subscribe again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One entry handed to a consumer, who owes an acknowledgement. ``attempt`` counts its deliveries from 1, as far
    as the broker can tell: never too high."""

    stream: str
    position: str
    fields: Mapping[str, str]
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Trimmed:
    """How many entries were removed that everybody had acknowledged, and how many although somebody had not."""

    settled: int = 0
    abandoned: int = 0


class Publisher(Protocol):
    """What the relay needs."""

    async def append(
        self,
        stream: str,
        entries: Sequence[Mapping[str, str]],
        *,
        after: str | None = None,
        keep_seconds: int | None = None,
    ) -> list[str]:
        """Append all entries in order, or none; return for each the position that the stream reached with it.

        ``after``: such a position; if the stream has not reached it, nothing is appended and ``StreamBehindError``
        is raised. No entries: only that check. ``keep_seconds``: then remove entries that are older, by the broker's
        clock, unless the broker has a retention of its own.
        """
        ...

    async def trim(self, stream: str, *, keep_seconds: int, abandon_seconds: int) -> Trimmed:
        """Remove entries older than ``keep_seconds`` that every group has acknowledged (of which there must be one),
        and those older than ``abandon_seconds`` whoever has not. A broker with a retention of its own is left to it."""
        ...


class Subscriber(Protocol):
    """What a consumer needs. ``group`` shares the work of one service; ``member`` is one process of it."""

    async def subscribe(self, stream: str, group: str) -> None:
        """Make the group, at the stream's beginning, unless it exists; make the stream if need be."""
        ...

    async def read(
        self, streams: Sequence[str], *, group: str, member: str, count: int, wait_seconds: float
    ) -> list[Delivery]:
        """New entries, waiting up to ``wait_seconds`` for the first."""
        ...

    async def claim(self, stream: str, *, group: str, member: str, idle_seconds: float, count: int) -> list[Delivery]:
        """Take over entries that another member has left unacknowledged for ``idle_seconds``, oldest first. Where the
        broker itself hands them on, they come with ``read``."""
        ...

    async def acknowledge(self, stream: str, group: str, positions: Sequence[str]) -> None:
        """Owe these deliveries no longer, nor those before them that ``read`` gave. Of another's, it does nothing."""
        ...

    async def waiting(self, stream: str, group: str) -> int:
        """How many entries the group has not acknowledged."""
        ...

    async def leave(self, stream: str, group: str, member: str) -> None:
        """Forget ``member`` if it owes nothing."""
        ...

    async def forget_absent(self, stream: str, group: str, *, idle_seconds: float) -> None:
        """Forget members that owe nothing and have not been heard of for so long."""
        ...

    async def ping(self) -> None: ...


class Broker(Publisher, Subscriber, Protocol):
    """One connection's worth of both."""

    async def aclose(self) -> None: ...
