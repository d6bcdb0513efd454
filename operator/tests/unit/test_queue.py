"""The work queue, with a clock of its own."""

from __future__ import annotations

import asyncio

import pytest

from smartcourse_operator.queue import LONGEST_BACKOFF_SECONDS, WorkQueue

A, B = ("ns", "a"), ("ns", "b")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue:
    return WorkQueue(settle_seconds=0, clock=clock)


async def is_empty(queue: WorkQueue) -> bool:
    try:
        async with asyncio.timeout(0.02):
            await queue.get()
    except TimeoutError:
        return True
    return False


async def test_a_key_that_was_noticed_twice_is_worked_on_once(queue: WorkQueue) -> None:
    queue.notice(A)
    queue.notice(A)
    assert await queue.get() == A
    assert await is_empty(queue)


async def test_a_key_is_never_worked_on_twice_at_a_time_and_what_happens_meanwhile_is_not_lost(
    queue: WorkQueue,
) -> None:
    queue.notice(A)
    await queue.get()
    queue.notice(A)
    assert await is_empty(queue)
    queue.done(A, again_in_seconds=1000)
    assert await queue.get() == A


async def test_other_keys_go_on_meanwhile(queue: WorkQueue) -> None:
    queue.notice(A)
    await queue.get()
    queue.notice(B)
    assert await queue.get() == B


async def test_a_key_comes_again_after_its_time(queue: WorkQueue, clock: Clock) -> None:
    queue.notice(A)
    await queue.get()
    queue.done(A, again_in_seconds=30)
    assert await is_empty(queue)
    clock.now += 30 * 1.3
    assert await queue.get() == A


async def test_an_event_brings_a_key_forward(queue: WorkQueue) -> None:
    queue.add(A, 1000)
    queue.notice(A)
    assert await queue.get() == A


async def test_failures_back_off_further_each_time_up_to_a_limit_and_success_forgets_them(
    queue: WorkQueue, clock: Clock
) -> None:
    queue.notice(A)
    delays = []
    for _ in range(12):
        await queue.get()
        queue.notice(A)  # an event does not shorten the delay
        delays.append(queue.retry(A))
        clock.now += delays[-1]
    assert delays[0] < 1 < delays[4] < delays[-1] <= LONGEST_BACKOFF_SECONDS * 1.2
    await queue.get()
    queue.done(A, again_in_seconds=0)
    await queue.get()
    assert queue.retry(A) < 1


async def test_a_key_that_is_gone_is_forgotten_unless_it_came_back_meanwhile(queue: WorkQueue) -> None:
    queue.notice(A)
    await queue.get()
    queue.forget(A)
    assert await is_empty(queue)
    queue.notice(A)
    await queue.get()
    queue.notice(A)
    queue.forget(A)
    assert await queue.get() == A


async def test_a_stall_is_noticed_in_work_and_in_waiting(queue: WorkQueue, clock: Clock) -> None:
    assert queue.stalled_seconds() == 0
    queue.notice(A)
    clock.now += 50
    assert queue.stalled_seconds() == 50
    assert queue.depth() == 1
    await queue.get()
    assert (queue.stalled_seconds(), queue.depth()) == (0, 0)
    clock.now += 70
    assert queue.stalled_seconds() == 70


async def test_a_waiting_worker_wakes_when_something_is_added(queue: WorkQueue) -> None:
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.notice(A)
    assert await asyncio.wait_for(worker, 1) == A
