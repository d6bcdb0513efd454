"""How late the event loop is: what computes too long in one place makes every request of the process wait."""

import asyncio

from prometheus_client import Histogram

PERIOD_SECONDS = 0.5

LOOP_LAG = Histogram(
    "smartcourse_loop_lag_seconds",
    f"How much later than asked the event loop woke a task, measured every {PERIOD_SECONDS} s.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


async def watch_loop() -> None:
    """Measure until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + PERIOD_SECONDS
        await asyncio.sleep(PERIOD_SECONDS)
        LOOP_LAG.observe(max(0.0, loop.time() - due))
