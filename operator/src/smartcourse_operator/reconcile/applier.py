"""Making one object what was rendered, by a write only where it differs."""

from __future__ import annotations

import structlog

from smartcourse_operator.adapters import metrics
from smartcourse_operator.adapters.cluster import Cluster
from smartcourse_operator.core import drift, growing, ownership
from smartcourse_operator.core.objects import BY_NAME, Document, Reference, foreign_owner, reference

log = structlog.get_logger()
PATHS_SHOWN = 10


class NameTakenError(Exception):
    """An object of the name that is needed belongs to something else."""

    def __init__(self, one: Reference, owner: str) -> None:
        super().__init__(f"{one} belongs to {owner}; choose another name for this SmartCourse")


class Applier:
    """Applies rendered objects."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def ensure(self, rendered: Document, live: Document | None) -> Document:
        """Return the object as it is in the cluster once it is as rendered.

        Raises:
            NameTakenError: it is not ours to change.
        """
        metadata, kind = rendered["metadata"], BY_NAME[rendered["kind"]]
        if live is None:  # it may be there and have lost the label that it is listed by
            live = await self._cluster.find(kind, metadata["namespace"], metadata["name"])
        if live is None:
            return await self._apply(rendered, "missing", [])
        if owner := foreign_owner(live, metadata["ownerReferences"][0]["uid"]):
            raise NameTakenError(reference(rendered), owner)
        if live["metadata"].get("deletionTimestamp"):
            return live  # applied anew once it is gone
        rendered = growing.with_live_sizes(rendered, live)
        if others := list(ownership.paths(ownership.contested(rendered, live))):
            await self._cluster.amend(
                kind, metadata["namespace"], metadata["name"], ownership.reclaiming(rendered, live)
            )
            return await self._apply(rendered, "drifted", others)
        if not drift.is_current(rendered, live):
            return await self._apply(rendered, "changed", [])
        if found := drift.differences(rendered, live):
            return await self._apply(rendered, "drifted", drift.shown(found))
        return live

    async def _apply(self, rendered: Document, cause: str, paths: list[str]) -> Document:
        kind, metadata = BY_NAME[rendered["kind"]], rendered["metadata"]
        log.info(
            "applying", namespace=metadata["namespace"], object=str(reference(rendered)), cause=cause,
            paths=paths[:PATHS_SHOWN],
        )  # fmt: skip
        metrics.APPLIED.labels(kind.kind, cause).inc()
        applied = await self._cluster.apply(kind, rendered)
        if left := drift.shown(drift.differences(rendered, applied)):
            log.warning("still differs after applying", object=str(reference(rendered)), paths=left[:PATHS_SHOWN])
        return {"apiVersion": kind.api_version, "kind": kind.kind, **applied}
