"""The probes' answers, asked over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from smartcourse_operator import health
from smartcourse_operator.queue import WorkQueue


class State:
    """What the answers depend on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.is_ready = False
        self.queue = WorkQueue(settle_seconds=0, clock=lambda: self.now)


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
async def url(state: State) -> AsyncIterator[str]:
    application = health.application(state.queue, stalled_seconds=60, is_ready=lambda: state.is_ready)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def status(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


async def test_alive_goes_red_when_reconciling_has_stopped_and_green_when_it_goes_on(state: State, url: str) -> None:
    assert await status(f"{url}/healthz") == 200
    state.queue.notice(("ns", "a"))
    state.now = 61
    assert await status(f"{url}/healthz") == 503
    await state.queue.get()
    assert await status(f"{url}/healthz") == 200


async def test_ready_follows_the_process(state: State, url: str) -> None:
    assert await status(f"{url}/readyz") == 503
    state.is_ready = True
    assert await status(f"{url}/readyz") == 200
