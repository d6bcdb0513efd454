"""Wait for a PostgreSQL notification, but never longer than a poll."""

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.events.cancellation import is_cancelled


class Wakeup:
    """LISTEN on a channel, on one connection of its own that is opened anew when it breaks.

    The operator reckons with these connections, which no pool counts: LISTENING in its `core/tuning.py`.
    Notifications can be missed while it is broken: whoever waits polls as well.
    """

    def __init__(self, engine: AsyncEngine, channel: str) -> None:
        self._engine, self._channel = engine, channel
        self._event = asyncio.Event()
        self._connection: AsyncConnection | None = None
        self._driver: Any = None

    async def listen(self) -> None:
        """Make sure that the connection is there; raises what SQLAlchemy or the network raises if it can't be."""
        if self._connection is not None and not self._driver.is_closed():
            return
        await self.aclose()
        self._connection = connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        self._driver = raw.driver_connection
        # Out of the pool: it is held for long, and a listening connection must not serve queries later.
        await connection.run_sync(lambda sync: sync.detach())
        await self._driver.add_listener(self._channel, self._notified)
        self.wake()  # something may have been notified before it listened

    def wake(self) -> None:
        """End the present wait, or the next one."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return on a notification or after ``seconds``; at once in a task that was asked to end."""
        if is_cancelled():
            return
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _notified(self, *_: object) -> None:
        self.wake()
