"""`/healthz` and `/readyz` on a port of their own.

Alive means that reconciling gets on: the event loop answers at all, and no SmartCourse has waited for a worker, or been
worked on, for longer than the limit. Ready means that this process leads, or stands by to lead.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from smartcourse_operator.queue import Queues, WorkQueue


def application(queue: WorkQueue | Queues, *, stalled_seconds: float, is_ready: Callable[[], bool]) -> web.Application:
    async def alive(_: web.Request) -> web.Response:
        stalled = queue.stalled_seconds()
        if stalled > stalled_seconds:
            return web.Response(status=503, text=f"no progress for {stalled:.0f} s\n")
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if is_ready() else web.Response(status=503, text="not started\n")

    made = web.Application()
    made.add_routes([web.get("/healthz", alive), web.get("/readyz", ready)])
    return made


async def serve(application: web.Application, *, host: str, port: int) -> web.AppRunner:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
