"""What stands around the operator in these tests: an administrator, and what controllers and kubelets would do."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from smartcourse_operator.adapters.cluster import ApiError, Cluster
from smartcourse_operator.core import names
from smartcourse_operator.core.drift import quantity
from smartcourse_operator.core.objects import (
    DEPLOYMENT,
    JOB,
    MANAGED,
    POD,
    SMART_COURSE,
    STATEFUL_SET,
    VOLUME_CLAIM,
    Document,
    Kind,
    labels,
    phase_of,
)

T = TypeVar("T")
NAMESPACE_KIND = Kind("v1", "Namespace", "namespaces")


async def eventually(
    probe: Callable[[], Awaitable[T]], *, what: str, timeout_seconds: float = 90, every_seconds: float = 0.1
) -> T:
    """Return what `probe` returns once it is truthy; a busy machine may take long, and is no reason to fail."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if found := await probe():
            return found
        await asyncio.sleep(every_seconds)
    raise AssertionError(f"waited {timeout_seconds:.0f} s for {what}")


@dataclass
class Platform:
    """One namespace, as its administrator sees it."""

    cluster: Cluster
    namespace: str

    async def create(self, name: str = "academy", **spec: Any) -> Document:
        return await self.cluster.create(SMART_COURSE, self.document(name, **spec))

    def document(self, name: str, **spec: Any) -> Document:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}

    async def get(self, name: str = "academy") -> Document:
        found = await self.cluster.find(SMART_COURSE, self.namespace, name)
        assert found, f"SmartCourse {name} is not there"
        return found

    async def change(self, name: str = "academy", **spec: Any) -> None:
        await self.cluster.merge(SMART_COURSE, self.namespace, name, {"spec": spec})

    async def delete(self, name: str = "academy") -> None:
        await self.cluster.delete(SMART_COURSE, self.namespace, name)

    async def children(self, name: str = "academy") -> list[Document]:
        found: list[Document] = []
        for kind in MANAGED:
            found += await self.cluster.select(kind, self.namespace, names.instance_selector(name))
        return found

    async def condition(self, kind: str = "Ready", name: str = "academy") -> Document:
        owner = await self.cluster.find(SMART_COURSE, self.namespace, name)
        found = ((owner or {}).get("status") or {}).get("conditions") or []
        return next((condition for condition in found if condition["type"] == kind), {})

    async def until_ready(self, name: str = "academy", timeout_seconds: float = 180) -> Document:
        def is_ready(status: Document) -> bool:
            return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())

        return await self.until(is_ready, "Ready", name, timeout_seconds)

    async def until(
        self, holds: Callable[[Document], bool], word: str, name: str = "academy", timeout_seconds: float = 90
    ) -> Document:
        """Return the SmartCourse once its status is of its newest spec, and `holds`."""

        async def reached() -> Document | None:
            found = await self.get(name)
            status = found.get("status") or {}
            is_current = status.get("observedGeneration") == found["metadata"]["generation"]
            return found if is_current and holds(status) else None

        what = f"{self.namespace}/{name} to be {word}"
        return await eventually(reached, what=what, timeout_seconds=timeout_seconds)

    async def drop(self) -> None:
        """Take every SmartCourse away at once, with no operator's help."""
        for found in await self.cluster.select(SMART_COURSE, self.namespace, ""):
            name = found["metadata"]["name"]
            await self.cluster.merge(SMART_COURSE, self.namespace, name, {"metadata": {"finalizers": None}})
            await self.cluster.delete(SMART_COURSE, self.namespace, name)

    async def until_gone(self, name: str = "academy") -> None:
        async def gone() -> bool:
            return await self.cluster.find(SMART_COURSE, self.namespace, name) is None

        await eventually(gone, what=f"{self.namespace}/{name} to be gone")


@dataclass
class Machinery:
    """Sets the statuses that controllers and kubelets would set.

    `held` phases and tasks do not get on, and neither do volumes that are to grow while it holds `resizing`; `failing`
    Jobs fail.
    """

    cluster: Cluster
    namespaces: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    told: dict[str, Document] = field(default_factory=dict)
    """What the pods of backups' and restores' Jobs write in the end, by task, in place of what is usual."""

    async def run(self) -> None:
        while True:
            for namespace in list(self.namespaces):
                try:
                    await self.pass_over(namespace)
                except ApiError as error:
                    if error.status not in (404, 409):
                        raise
            await asyncio.sleep(0.1)

    async def pass_over(self, namespace: str) -> None:
        for claim in await self.cluster.select(VOLUME_CLAIM, namespace, f"{names.LABEL_PART_OF}={names.PART_OF}"):
            await self._provide(claim)
        for kind, status in ((DEPLOYMENT, self._deployment), (STATEFUL_SET, self._stateful_set), (JOB, self._job)):
            for document in await self.cluster.select(kind, namespace, names.LABEL_PHASE):
                if phase_of(document).value in self.held or document["metadata"].get("deletionTimestamp"):
                    continue
                if kind is STATEFUL_SET:
                    await self._claim(document)
                wanted = status(document)
                if wanted.items() <= (document.get("status") or {}).items():
                    continue
                name = document["metadata"]["name"]
                await self.cluster.merge(kind, namespace, name, {"status": wanted}, subresource="status")

        for document in await self.cluster.select(JOB, namespace, names.LABEL_TASK):
            if labels(document)[names.LABEL_TASK] not in self.held and (wanted := self._job(document)):
                await self._tell(document)
                name = document["metadata"]["name"]
                await self.cluster.merge(JOB, namespace, name, {"status": wanted}, subresource="status")

    async def _tell(self, job: Document) -> None:
        """Make the pod that has done a Job's work."""
        metadata, template = job["metadata"], job["spec"]["template"]
        task, name = labels(job)[names.LABEL_TASK], f"{metadata['name']}-{uuid.uuid4().hex[:5]}"
        container = template["spec"]["containers"][0]
        environment = {entry["name"]: entry.get("value") for entry in container["env"]}
        contents = {"parts": 2, "entries": 3, "checksum": "c" * 32}
        usual = {
            "snapshot": environment.get("SNAPSHOT") or uuid.uuid4().hex * 2, "release": "1.0.0",
            "takenAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "postgres": contents, "mongodb": contents,
            "sizeBytes": 1234, "isVerified": True,
        }  # fmt: skip
        marks = {**template["metadata"]["labels"], names.LABEL_JOB: metadata["name"]}
        pod = {
            "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
            "metadata": {"name": name, "namespace": metadata["namespace"], "labels": marks},
        }  # fmt: skip
        await self.cluster.create(POD, pod)
        ended = {"exitCode": 0, "message": json.dumps(self.told.get(task, usual))}
        status = {"name": container["name"], "image": "i", "imageID": "i", "ready": False, "restartCount": 0,
                  "state": {"terminated": ended}}  # fmt: skip
        told = {"phase": "Succeeded", "containerStatuses": [status]}
        await self.cluster.merge(POD, metadata["namespace"], name, {"status": told}, subresource="status")

    @staticmethod
    def _deployment(document: Document) -> Document:
        count = document["spec"]["replicas"]
        fields = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        return {"observedGeneration": document["metadata"]["generation"], **dict.fromkeys(fields, count)}

    @staticmethod
    def _stateful_set(document: Document) -> Document:
        count = document["spec"]["replicas"]
        revisions = {"currentRevision": "one", "updateRevision": "one"}
        fields = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "currentReplicas")
        return {"observedGeneration": document["metadata"]["generation"], **dict.fromkeys(fields, count), **revisions}

    def _job(self, document: Document) -> Document:
        if (document.get("status") or {}).get("completionTime") or (document.get("status") or {}).get("failed"):
            return {}
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        name = document["metadata"]["name"]
        if any(word in name for word in self.failing):
            ended = {
                "status": "True",
                "reason": "BackoffLimitExceeded",
                "message": "Job has reached the specified backoff limit",
            }
            conditions = [{"type": kind, "lastTransitionTime": now, **ended} for kind in ("FailureTarget", "Failed")]
            return {"startTime": now, "failed": 7, "conditions": conditions}
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("SuccessCriteriaMet", "Complete")
        ]
        return {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": conditions}

    async def _provide(self, claim: Document) -> None:
        """Bind a claim, or let its volume grow to what it asks for."""
        metadata, status = claim["metadata"], claim.get("status") or {}
        asked, is_bound = claim["spec"]["resources"]["requests"]["storage"], status.get("phase") == "Bound"
        has, wants = quantity((status.get("capacity") or {}).get("storage", "0")), quantity(asked)
        assert has is not None
        assert wants is not None
        if is_bound and ("resizing" in self.held or has >= wants):
            return
        given = {"phase": "Bound", "capacity": {"storage": asked}, "conditions": None}
        await self.cluster.merge(
            VOLUME_CLAIM, metadata["namespace"], metadata["name"], {"status": given}, subresource="status"
        )

    async def _claim(self, stateful_set: Document) -> None:
        metadata = stateful_set["metadata"]
        for template in stateful_set["spec"].get("volumeClaimTemplates") or ():
            name = f"{template['metadata']['name']}-{metadata['name']}-0"
            if await self.cluster.find(VOLUME_CLAIM, metadata["namespace"], name):
                continue
            made = await self.cluster.create(
                VOLUME_CLAIM,
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": name, "namespace": metadata["namespace"], "labels": labels(template)},
                    "spec": template["spec"],
                },
            )
            await self._provide(made)
