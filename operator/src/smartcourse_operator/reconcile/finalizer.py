"""Taking a SmartCourse away: what runs goes, what holds data stays unless the resource says otherwise."""

from __future__ import annotations

import structlog

from smartcourse_operator.adapters.cluster import Cluster
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import BACKUP, BY_NAME, SMART_COURSE, VOLUME_CLAIM, Document, Reference, is_owned
from smartcourse_operator.core.spec import DeletionPolicy
from smartcourse_operator.reconcile.keeper import SecretKeeper
from smartcourse_operator.reconcile.observer import Observer
from smartcourse_operator.reconcile.scheduler import BackupScheduler

log = structlog.get_logger()


def deletion_policy(owner: Document) -> DeletionPolicy:
    """Return what the resource says; the rest of its spec need not be readable, and only a clear word deletes data."""
    is_delete = (owner.get("spec") or {}).get("deletionPolicy") == DeletionPolicy.DELETE
    return DeletionPolicy.DELETE if is_delete else DeletionPolicy.RETAIN


class Finalizer:
    """Holds a resource until what belongs to it is gone."""

    def __init__(self, cluster: Cluster, observer: Observer, keeper: SecretKeeper, scheduler: BackupScheduler) -> None:
        self._cluster = cluster
        self._observer = observer
        self._keeper = keeper
        self._scheduler = scheduler

    async def hold(self, owner: Document) -> None:
        """See that the resource cannot go before we have cleaned up."""
        metadata = owner["metadata"]
        finalizers = metadata.get("finalizers") or []
        if names.FINALIZER not in finalizers:
            await self._set(owner, [*finalizers, names.FINALIZER])

    async def clean_up(self, owner: Document) -> bool:
        """Remove what belongs to a resource that is being deleted; return whether it was let go."""
        metadata = owner["metadata"]
        name, namespace = metadata["name"], metadata["namespace"]
        finalizers = metadata.get("finalizers") or []
        if names.FINALIZER not in finalizers:
            return True
        if await self._remove_children(owner):
            return False
        policy = deletion_policy(owner)
        if policy is DeletionPolicy.DELETE:
            for backup in await self._scheduler.backups_of(name, namespace):
                await self._cluster.delete(BACKUP, namespace, backup["metadata"]["name"])
            for claim in await self._observer.claims(name, namespace):
                await self._cluster.delete(VOLUME_CLAIM, namespace, claim["metadata"]["name"])
            await self._keeper.discard(name, namespace)
        await self._set(owner, [one for one in finalizers if one != names.FINALIZER])
        log.info("let go", namespace=namespace, name=name, deletion_policy=policy.value)
        return True

    async def _remove_children(self, owner: Document) -> bool:
        """Delete every object that the resource owns; return whether any is left."""
        metadata = owner["metadata"]
        inventory = (owner.get("status") or {}).get("inventory") or ()
        mentioned = [Reference(entry["kind"], entry["name"]) for entry in inventory]
        for one, document in (await self._observer.children(owner, mentioned)).items():
            if is_owned(document, metadata["uid"]) and not document["metadata"].get("deletionTimestamp"):
                await self._cluster.delete(BY_NAME[one.kind], metadata["namespace"], one.name)
        left = await self._observer.children(owner, mentioned)
        return any(is_owned(document, metadata["uid"]) for document in left.values())

    async def _set(self, owner: Document, finalizers: list[str]) -> None:
        metadata = owner["metadata"]
        patch = {"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}}
        await self._cluster.merge(SMART_COURSE, metadata["namespace"], metadata["name"], patch)
