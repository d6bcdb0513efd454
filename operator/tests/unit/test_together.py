"""Parts that are done at the same time end together."""

from __future__ import annotations

import asyncio

import pytest

from smartcourse_operator.adapters.cluster import ApiError, NotLeadingError
from smartcourse_operator.reconcile.together import together


async def returning(value: int) -> int:
    return value


async def failing(error: Exception) -> int:
    raise error


async def test_the_answers_are_in_the_order_of_the_parts() -> None:
    assert await together(returning(number) for number in (3, 1, 2)) == [3, 1, 2]


async def test_no_part_goes_on_after_another_has_failed() -> None:
    ended = asyncio.Event()

    async def lasting() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 0

    refused = ApiError(503, "PATCH", "busy")
    with pytest.raises(ApiError) as raised:
        await together([lasting(), failing(refused)])
    assert raised.value is refused
    assert ended.is_set()


async def test_lost_leadership_is_told_before_any_other_failure() -> None:
    with pytest.raises(NotLeadingError):
        await together([failing(ApiError(503, "PATCH", "busy")), failing(NotLeadingError())])
