"""Asking for larger volumes: the claim is changed, and the storage driver does the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from smartcourse_operator.adapters.cluster import ApiError, Cluster
from smartcourse_operator.core import growing
from smartcourse_operator.core.objects import VOLUME_CLAIM, Document
from smartcourse_operator.core.status import Storage

log = structlog.get_logger()


class Grower:
    """Grows volume claims."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def grow(self, claims: Iterable[Document], wanted: Mapping[str, str]) -> list[Storage]:
        """Ask for the sizes that are wanted, by component, and return how large each volume is.

        Raises:
            ApiError: the API server could not be worked with; to be tried again later.
        """
        found = [await self._grown(one, size) for one in claims if (size := wanted.get(growing.component_of(one)))]
        return sorted(found, key=lambda one: one.claim)

    async def _grown(self, claim: Document, wanted: str) -> Storage:
        if not growing.is_to_be_asked(claim, wanted):
            return growing.storage_of(claim, wanted)
        metadata = claim["metadata"]
        patch = {"spec": {"resources": {"requests": {"storage": wanted}}}}
        try:
            changed = await self._cluster.merge(VOLUME_CLAIM, metadata["namespace"], metadata["name"], patch)
        except ApiError as error:
            if not error.is_lasting:
                raise
            return growing.storage_of(claim, wanted, error.message)
        log.info("growing", namespace=metadata["namespace"], claim=metadata["name"], size=wanted)
        return growing.storage_of(changed, wanted)
