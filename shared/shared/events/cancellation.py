"""Tasks that end when they are asked to, even if the asking got lost.

Before Python 3.12 `asyncio.wait_for` swallows a cancellation that arrives as the awaited thing completes. redis-py
sends every command through it: in one of eight tries a relay's cancellation was lost. The task still knows that it
was asked.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


def is_cancelled() -> bool:
    """Whether the current task has been asked to end; for loops to look at once a round."""
    return _requests() > 0


@contextmanager
def kept_cancellation() -> Iterator[None]:
    """Raise the cancellation that arrived inside, should it have been swallowed there."""
    before = _requests()
    yield
    if _requests() > before:
        raise asyncio.CancelledError


async def sleep(seconds: float) -> None:
    """`asyncio.sleep` that does not begin in a task that was asked to end."""
    if is_cancelled():
        raise asyncio.CancelledError
    await asyncio.sleep(seconds)


def _requests() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0
