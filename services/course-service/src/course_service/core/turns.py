"""Waiting for one's turn in the process, before a connection to the database is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """Lets those in who name the same key one at a time, first come, first served.

    It decides nothing: that is the row lock's part, which holds across processes. But who waits for a row lock holds a
    connection, and a crowd that waits for one row would hold all of them.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, key: int) -> AsyncIterator[None]:
        """Wait until everybody who came before with this key has left."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield
