"""Workers: take a key, reconcile it, say when to look at it again."""

from __future__ import annotations

from typing import Protocol

import structlog

from smartcourse_operator import logs
from smartcourse_operator.adapters import metrics
from smartcourse_operator.adapters.cluster import ApiError, NotLeadingError
from smartcourse_operator.config import Settings
from smartcourse_operator.queue import WorkQueue
from smartcourse_operator.reconcile.reconciler import Outcome

log = structlog.get_logger()


class Reconciles(Protocol):
    """What brings one resource to what it asks for."""

    async def reconcile(self, namespace: str, name: str) -> Outcome: ...


async def work(queue: WorkQueue, reconciler: Reconciles, settings: Settings) -> None:
    """Reconcile what is due, one key after the other, for ever.

    Raises:
        NotLeadingError: this process leads no longer and has to end.
    """
    while True:
        key = await queue.get()
        namespace, name = key
        with logs.one_trace():
            try:
                with metrics.RECONCILE_SECONDS.time():
                    outcome = await reconciler.reconcile(namespace, name)
            except NotLeadingError:
                raise
            except Exception as error:  # one resource's trouble must not stop the others
                delay = queue.retry(key)
                metrics.RECONCILES.labels("error").inc()
                is_expected = isinstance(error, ApiError)
                log.warning(
                    "reconcile failed", namespace=namespace, name=name, error=f"{type(error).__name__}: {error}",
                    again_in_seconds=round(delay, 1), exc_info=None if is_expected else error,
                )  # fmt: skip
                continue
        metrics.RECONCILES.labels(outcome.value).inc()
        match outcome:
            case Outcome.GONE:
                queue.forget(key)
            case Outcome.WAITING:
                queue.done(key, again_in_seconds=settings.progress_seconds)
            case Outcome.DONE:
                queue.done(key, again_in_seconds=settings.resync_seconds)
