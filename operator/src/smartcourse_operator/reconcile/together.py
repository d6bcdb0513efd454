"""Doing several things at the same time so that they end together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from smartcourse_operator.adapters.cluster import NotLeadingError

T = TypeVar("T")


async def together(parts: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return what `parts` return, done at the same time; when one fails, the others have ended before it is raised.

    Raises:
        NotLeadingError: a part was refused its write; this comes before any other part's failure.
        Exception: the failure of a part.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
    except ExceptionGroup as failed:
        raise min(failed.exceptions, key=lambda one: not isinstance(one, NotLeadingError)) from None
    return [task.result() for task in tasks]
