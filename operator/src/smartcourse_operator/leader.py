"""Leadership: a Lease that one process holds at a time. Losing it ends the process.

The rules are those of Kubernetes' own leader election: how old a renewal is, is told by one's own clock from when the
change was seen, never by the times in the Lease, so that clocks need not agree.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from smartcourse_operator.adapters import metrics
from smartcourse_operator.adapters.cluster import ApiError, Cluster
from smartcourse_operator.config import Settings
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import LEASE, Document

log = structlog.get_logger()


class LeadershipLostError(Exception):
    """The Lease could not be renewed in time; another process may lead."""


class Leadership:
    """This process's claim to the Lease."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._renewed_at: float | None = None
        self._seen: Any = None
        self._seen_at = 0.0

    @property
    def remaining_seconds(self) -> float:
        """For how long this process may still write: until the deadline of the Lease's last renewal, 0 after it."""
        if self._renewed_at is None:
            return 0
        return max(0.0, self._renewed_at + self._settings.lease_deadline_seconds - self._clock())

    @property
    def is_held(self) -> bool:
        """Whether this process may write: it renewed the Lease within the deadline."""
        return self.remaining_seconds > 0

    async def acquire(self, cluster: Cluster) -> None:
        """Wait until the Lease is ours."""
        while not await self._attempt(cluster):  # noqa: ASYNC110 - another process changes it, not this one
            await asyncio.sleep(self._settings.lease_renew_seconds / 2)
        metrics.LEADING.set(1)
        log.info("leading", identity=self._settings.identity)

    async def keep(self, cluster: Cluster) -> None:
        """Renew the Lease for ever.

        Raises:
            LeadershipLostError: somebody else holds it, or it could not be renewed before the deadline.
        """
        while True:
            await asyncio.sleep(self._settings.lease_renew_seconds)
            is_ours = await self._attempt(cluster)
            if not self.is_held or (not is_ours and self._is_held_by_other()):
                self._renewed_at = None
                metrics.LEADING.set(0)
                raise LeadershipLostError(f"{self._settings.identity} has lost the Lease {names.OPERATOR}")

    async def release(self, cluster: Cluster) -> None:
        """Give the Lease up, so that another process need not wait for it to expire."""
        if not self.is_held:
            return
        self._renewed_at = None
        metrics.LEADING.set(0)
        try:
            lease = await cluster.find(LEASE, self._settings.namespace, names.OPERATOR)
            if lease and lease["spec"].get("holderIdentity") == self._settings.identity:
                lease["spec"]["holderIdentity"] = ""
                await cluster.replace(LEASE, lease)
        except ApiError as error:
            log.warning("could not release the lease; it expires by itself", error=str(error))

    def _is_held_by_other(self) -> bool:
        return bool(self._seen) and self._seen[0] not in ("", self._settings.identity)

    async def _attempt(self, cluster: Cluster) -> bool:
        """Take or renew the Lease if that is allowed; return whether it is ours."""
        started = self._clock()
        try:
            async with asyncio.timeout(self._settings.lease_deadline_seconds / 2):
                lease = await cluster.find(LEASE, self._settings.namespace, names.OPERATOR)
                if lease is None:
                    await cluster.create(LEASE, self._document(None))
                else:
                    self._look_at(lease)
                    if self._is_held_by_other() and not self._is_expired():
                        return False
                    self._look_at(await cluster.replace(LEASE, self._document(lease)))
        except (ApiError, TimeoutError) as error:
            log.warning("the lease could not be worked with", error=str(error) or type(error).__name__)
            return False
        self._renewed_at = started
        return True

    def _look_at(self, lease: Document) -> None:
        spec = lease["spec"]
        seen = (spec.get("holderIdentity") or "", spec.get("renewTime"), spec.get("leaseTransitions"))
        if seen != self._seen:
            self._seen, self._seen_at = seen, self._clock()

    def _is_expired(self) -> bool:
        return self._clock() - self._seen_at > self._settings.lease_duration_seconds

    def _document(self, lease: Document | None) -> Document:
        """Return the Lease as held by us now, on top of what it was."""
        settings, old = self._settings, (lease or {}).get("spec") or {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_ours = old.get("holderIdentity") == settings.identity
        spec = {
            "holderIdentity": settings.identity,
            "leaseDurationSeconds": settings.lease_duration_seconds,
            "acquireTime": old.get("acquireTime") if is_ours else now,
            "renewTime": now,
            "leaseTransitions": old.get("leaseTransitions", 0) + (0 if is_ours or not lease else 1),
        }
        metadata = lease["metadata"] if lease else {"name": names.OPERATOR, "namespace": settings.namespace}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}
