"""The process: wires the parts together, leads, and ends when any part of it does."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import structlog
from prometheus_client import start_http_server

from smartcourse_operator import handlers, health, logs
from smartcourse_operator.adapters import metrics
from smartcourse_operator.adapters.charts import Charts, ChartsError
from smartcourse_operator.adapters.cluster import Cluster, NotLeadingError, connect
from smartcourse_operator.adapters.gateway import HealthProbe, probe_gateway
from smartcourse_operator.adapters.helm import Renderer
from smartcourse_operator.config import Settings
from smartcourse_operator.core.objects import BACKUP, RESTORE, SMART_COURSE
from smartcourse_operator.core.versions import Releases
from smartcourse_operator.leader import Leadership, LeadershipLostError
from smartcourse_operator.queue import Queues
from smartcourse_operator.reconcile.backups import BackupReconciler
from smartcourse_operator.reconcile.reconciler import Reconciler, Tools
from smartcourse_operator.reconcile.restores import RestoreReconciler
from smartcourse_operator.reconcile.tasks import Tasks
from smartcourse_operator.worker import work

log = structlog.get_logger()
RETRY_SECONDS = 2


class PartEndedError(Exception):
    """A part that should run for ever has ended."""


class Operator:
    """One operator process."""

    def __init__(self, settings: Settings, *, probe: HealthProbe = probe_gateway) -> None:
        """Read what it installs.

        Raises:
            ChartsError: that is not what it should be.
        """
        self._settings = settings
        self._probe = probe
        self._queues = Queues.empty(settings.settle_seconds)
        self._leadership = Leadership(settings)
        self._is_started = False
        self._charts = Charts(settings.chart, settings.releases / "charts")
        self._releases = Releases.read(
            settings.releases, images=settings.images, further=settings.further_releases, charts=self._charts.digests
        )
        metrics.watch(self._queues)

    async def run(self, stop: asyncio.Event) -> None:
        """Stand by, lead, reconcile; until `stop` is set.

        Raises:
            LeadershipLostError: another process may lead now.
        """
        settings = self._settings
        application = health.application(
            self._queues, stalled_seconds=settings.stalled_seconds, is_ready=lambda: self._is_started
        )
        runner = await health.serve(application, host=settings.bind_address, port=settings.health_port)
        client: Any = await connect()
        leases = Cluster(client)
        try:
            self._is_started = True
            await until(stop, self._leadership.acquire(leases))
            if not stop.is_set():
                await self._lead(
                    stop, leases, Cluster(client, write_seconds=lambda: self._leadership.remaining_seconds)
                )
        finally:
            await self._leadership.release(leases)
            await client.close()
            await runner.cleanup()

    async def _lead(self, stop: asyncio.Event, leases: Cluster, cluster: Cluster) -> None:
        settings = self._settings
        await until(stop, wait_for_resource(cluster))
        if stop.is_set():
            return
        kinds = await handlers.watched(cluster)
        tools = Tools(cluster, self._charts, Renderer(settings.helm), self._releases, settings, self._probe)
        reconciler, tasks = Reconciler(tools), Tasks(tools)
        await until(
            stop,
            self._leadership.keep(leases),
            handlers.watch(self._queues, kinds=kinds, namespaces=settings.watch_namespaces, identity=settings.identity),
            *(work(self._queues.courses, reconciler, settings) for _ in range(settings.workers)),
            work(self._queues.backups, BackupReconciler(tools, tasks), settings),
            work(self._queues.restores, RestoreReconciler(tools, tasks), settings),
        )


async def wait_for_resource(cluster: Cluster) -> None:
    """Wait until the API server knows our kinds: what is not there when watching begins is never watched."""
    while missing := [kind.kind for kind in (SMART_COURSE, BACKUP, RESTORE) if not await cluster.serves(kind)]:
        log.warning("the cluster does not know our kinds yet: apply manifests/crd", missing=missing)
        await asyncio.sleep(RETRY_SECONDS)


async def until(stop: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Run `parts` until one ends or `stop` is set; then end the others. An error of a part is raised."""
    stopping = asyncio.create_task(stop.wait())
    running = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if not stop.is_set() and len(running) > 1:
            raise PartEndedError("a part of the operator ended by itself")
    finally:
        for task in (stopping, *running):
            task.cancel()
        await asyncio.gather(stopping, *running, return_exceptions=True)


async def serve(settings: Settings) -> int:
    """Run the operator until a signal comes; return the process's exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await Operator(settings).run(stop)
    except (ChartsError, LeadershipLostError, NotLeadingError) as error:
        log.error("ending", why=str(error))  # noqa: TRY400 - the trace says nothing more
        return 1
    log.info("ended")
    return 0


def main() -> int:
    settings = Settings()
    logs.configure(settings.log_level)
    start_http_server(settings.metrics_port, addr=settings.bind_address)
    log.info("starting", identity=settings.identity, namespaces=settings.watch_namespaces or "all")
    return asyncio.run(serve(settings))


if __name__ == "__main__":
    sys.exit(main())
