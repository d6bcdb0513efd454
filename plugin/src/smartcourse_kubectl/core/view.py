"""A SmartCourse and what belongs to it, read leniently from plain documents: the operator may be newer or older."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from smartcourse_operator.core import names
from smartcourse_operator.core.fields import timestamp
from smartcourse_operator.core.objects import Document, labels
from smartcourse_operator.core.readiness import trouble_of
from smartcourse_operator.core.status import ConditionType, KnownRelease, Phase, Upgrade

GOOD_WHEN_FALSE = frozenset({ConditionType.DEGRADED, ConditionType.PAUSED, ConditionType.HIBERNATED})


def time_of(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True)
class Condition:
    """One aspect of the state; `since` is when its status last changed."""

    type: str
    status: str
    reason: str
    message: str
    since: datetime | None

    @classmethod
    def of(cls, document: Document) -> Condition:
        return cls(document["type"], document["status"], document.get("reason", ""), document.get("message", ""),
                   time_of(document.get("lastTransitionTime")))  # fmt: skip

    @property
    def is_good(self) -> bool:
        return self.status == ("False" if self.type in GOOD_WHEN_FALSE else "True")


@dataclass(frozen=True)
class Pod:
    """A pod; `trouble` says why it does not get on, empty if nothing speaks against it."""

    name: str
    component: str
    phase: str
    ready: int
    containers: int
    restarts: int
    node: str
    images: tuple[str, ...]
    created: datetime | None
    trouble: str
    is_leaving: bool

    @classmethod
    def of(cls, document: Document) -> Pod:
        metadata, spec, status = document["metadata"], document["spec"], document.get("status") or {}
        containers = status.get("containerStatuses") or []
        found = trouble_of(document)
        trouble = f"{found.reason}: {found.message}".rstrip(": ") if found else ""
        return cls(
            name=metadata["name"],
            component=labels(document).get(names.LABEL_COMPONENT, ""),
            phase=status.get("phase", "Unknown"),
            ready=sum(bool(container.get("ready")) for container in containers),
            containers=len(spec["containers"]),
            restarts=sum(container.get("restartCount", 0) for container in containers),
            node=spec.get("nodeName", ""),
            images=tuple(container["image"].rpartition("/")[2] for container in spec["containers"]),
            created=time_of(metadata.get("creationTimestamp")),
            trouble=trouble,
            is_leaving="deletionTimestamp" in metadata,
        )

    @property
    def is_ready(self) -> bool:
        return self.ready == self.containers and not self.is_leaving


@dataclass(frozen=True)
class Volume:
    """A database's volume claim."""

    name: str
    component: str
    phase: str
    size: str
    storage_class: str
    wanted: str = ""
    """The size that is asked for, while the volume has less."""

    @classmethod
    def of(cls, document: Document, wanted: str) -> Volume:
        spec, status = document["spec"], document.get("status") or {}
        size = (status.get("capacity") or spec["resources"]["requests"]).get("storage", "")
        return cls(
            name=document["metadata"]["name"],
            component=labels(document).get(names.LABEL_COMPONENT, ""),
            phase=status.get("phase", "Pending"),
            size=size,
            storage_class=spec.get("storageClassName") or "",
            wanted=wanted,
        )


@dataclass(frozen=True)
class Rotation:
    """The last rotation of a secret, or the one under way; `request` is the text that asked for it."""

    secret: str
    phase: str
    message: str
    request: str
    started: datetime | None
    completed: datetime | None

    @classmethod
    def of(cls, document: Document) -> Rotation:
        return cls(document["secret"], document["phase"], document.get("message") or "", document.get("request") or "",
                   time_of(document.get("startedAt")), time_of(document.get("completedAt")))  # fmt: skip


@dataclass(frozen=True)
class View:
    """All that is shown of a SmartCourse. Without pods and volumes it is what the resource itself says."""

    name: str
    namespace: str
    created: datetime | None
    generation: int
    observed_generation: int
    phase: str
    url: str
    version: str
    wanted_version: str
    releases: tuple[KnownRelease, ...]
    """What the operator has, oldest first; of an operator that does not tell, nothing."""
    last_backup: str
    """The newest good backup's name, empty if there is none."""
    last_backup_at: datetime | None
    spec: Document
    conditions: tuple[Condition, ...]
    pods: tuple[Pod, ...] = field(default=())
    volumes: tuple[Volume, ...] = field(default=())
    rotations: tuple[Rotation, ...] = field(default=())
    upgrade: Upgrade | None = None
    """The last one, or the one under way; None of one that this program cannot read."""

    def condition(self, kind: str) -> Condition | None:
        return next((condition for condition in self.conditions if condition.type == kind), None)

    def rotation(self, secret: str) -> Rotation | None:
        return next((rotation for rotation in self.rotations if rotation.secret == secret), None)

    @property
    def newest_version(self) -> str:
        return self.releases[-1].version if self.releases else ""

    @property
    def is_current(self) -> bool:
        """Whether the operator has acted on the spec as it is now."""
        return self.observed_generation >= self.generation

    @property
    def is_paused(self) -> bool:
        return bool(self.spec.get("paused"))

    @property
    def is_hibernated(self) -> bool:
        """Whether nothing runs any more, as its spec asks."""
        return self.is_current and self.phase == Phase.HIBERNATED

    @property
    def is_ready(self) -> bool:
        ready = self.condition(ConditionType.READY)
        return self.is_current and ready is not None and ready.is_good

    @property
    def waits_for(self) -> str:
        """What stands between it and Ready, empty when nothing does."""
        if not self.is_current:
            return (
                f"the operator to take up the resource's last change (generation {self.generation}, "
                f"it has seen {self.observed_generation})"
            )
        ready = self.condition(ConditionType.READY)
        if ready is None:
            return "the operator's first look at it"
        return "" if ready.is_good else ready.message or ready.reason


def view(document: Document, pods: Iterable[Document] = (), claims: Iterable[Document] = ()) -> View:
    """Return the view of a SmartCourse; pods of Jobs that have done their work are left out."""
    metadata, spec, status = document["metadata"], document.get("spec") or {}, document.get("status") or {}
    wanted = {one["claim"]: one.get("wanted") or "" for one in status.get("storage") or ()}
    volumes = [Volume.of(claim, wanted.get(claim["metadata"]["name"], "")) for claim in claims]
    shown = [Pod.of(pod) for pod in pods if (pod.get("status") or {}).get("phase") != "Succeeded"]
    return View(
        name=metadata["name"],
        namespace=metadata["namespace"],
        created=time_of(metadata.get("creationTimestamp")),
        generation=metadata.get("generation", 0),
        observed_generation=status.get("observedGeneration") or 0,
        phase=status.get("phase") or "",
        url=status.get("url") or "",
        version=status.get("version") or "",
        wanted_version=spec.get("version") or "",
        releases=tuple(
            KnownRelease(version=one["version"], upgrade_from=one.get("upgradeFrom") or [])
            for one in status.get("releases") or ()
        ),
        last_backup=(status.get("backup") or {}).get("lastName") or "",
        last_backup_at=time_of((status.get("backup") or {}).get("lastCompletedAt")),
        spec=spec,
        conditions=tuple(map(Condition.of, status.get("conditions") or ())),
        pods=tuple(sorted(shown, key=lambda pod: (rank(pod.component), pod.name))),
        volumes=tuple(sorted(volumes, key=lambda volume: volume.name)),
        rotations=tuple(map(Rotation.of, status.get("rotations") or ())),
        upgrade=upgrade_of(status),
    )


def upgrade_of(status: Document) -> Upgrade | None:
    try:
        return Upgrade.model_validate(status["upgrade"]) if status.get("upgrade") else None
    except ValidationError:
        return None


def rank(component: str) -> int:
    """Return a component's place in lists: that of the way a request takes."""
    return names.COMPONENTS.index(component) if component in names.COMPONENTS else len(names.COMPONENTS)


def written(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None


def to_json(shown: View) -> dict[str, Any]:
    """Return the view for programs: `-o json` prints it, and its names stay."""
    return {
        "name": shown.name,
        "namespace": shown.namespace,
        "ready": shown.is_ready,
        "phase": shown.phase,
        "waitsFor": shown.waits_for,
        "paused": shown.is_paused,
        "hibernated": shown.is_hibernated,
        "url": shown.url,
        "version": {"running": shown.version, "wanted": shown.wanted_version, "newest": shown.newest_version},
        "lastBackup": {"name": shown.last_backup, "at": written(shown.last_backup_at)} if shown.last_backup else None,
        "conditions": [
            {"type": one.type, "status": one.status, "reason": one.reason, "message": one.message,
             "since": written(one.since)}
            for one in shown.conditions
        ],
        "pods": [
            {"name": pod.name, "component": pod.component, "phase": pod.phase, "ready": pod.ready,
             "containers": pod.containers, "restarts": pod.restarts, "node": pod.node, "images": list(pod.images),
             "created": written(pod.created), "trouble": pod.trouble, "leaving": pod.is_leaving}
            for pod in shown.pods
        ],
        "volumes": [
            {"name": one.name, "component": one.component, "phase": one.phase, "size": one.size,
             "wanted": one.wanted, "storageClass": one.storage_class}
            for one in shown.volumes
        ],
        "rotations": [
            {"secret": one.secret, "phase": one.phase, "message": one.message, "request": one.request,
             "started": written(one.started), "completed": written(one.completed)}
            for one in shown.rotations
        ],
    }  # fmt: skip
