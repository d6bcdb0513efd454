"""Telling people: the status, Events and metrics. Nothing is written that says what is already said."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import structlog

from smartcourse_operator.adapters import metrics
from smartcourse_operator.adapters.cluster import ApiError, Cluster
from smartcourse_operator.core import names
from smartcourse_operator.core.conditions import Transition, transitions
from smartcourse_operator.core.fields import changes, timestamp
from smartcourse_operator.core.objects import EVENT, SMART_COURSE, Document
from smartcourse_operator.core.status import ConditionStatus, Rotation, RotationPhase, SmartCourseStatus

log = structlog.get_logger()
EVENT_MESSAGE_LENGTH = 1000


class Reporter:
    """Writes a SmartCourse's status when it has changed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def report(self, owner: Document, before: SmartCourseStatus, after: SmartCourseStatus) -> None:
        metadata = owner["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        for condition in after.conditions:
            is_true = condition.status is ConditionStatus.TRUE
            metrics.CONDITION.labels(namespace, name, condition.type.value).set(is_true)
        for gone in {condition.type for condition in before.conditions} - {one.type for one in after.conditions}:
            metrics.CONDITION.remove_by_labels({"namespace": namespace, "name": name, "type": gone.value})
        patch = changes(before, after)
        if not patch:
            return
        await self._cluster.merge(SMART_COURSE, namespace, name, {"status": patch}, subresource="status")
        for transition in transitions(before, after):
            log.info(
                "condition", namespace=namespace, name=name, type=transition.kind.value,
                status=transition.condition.status.value, reason=transition.condition.reason,
                message=transition.condition.message,
            )  # fmt: skip
            await post(self._cluster, event(owner, transition, datetime.now(UTC)))
        for rotation in after.rotations:
            if rotation.phase not in [known.phase for known in before.rotations if known.secret == rotation.secret]:
                await post(self._cluster, rotation_event(owner, rotation, datetime.now(UTC)))


async def post(cluster: Cluster, document: Document) -> None:
    """Create an Event. That one cannot be is logged and no more: it is a courtesy, the status says the same."""
    try:
        await cluster.create(EVENT, document)
    except ApiError as error:
        log.warning("could not post an event", error=str(error))


def event(owner: Document, transition: Transition, now: datetime) -> Document:
    """Return the Event that tells of a condition's change."""
    condition = transition.condition
    message = f"{transition.kind} is {condition.status}: {condition.message}"
    return about(owner, condition.reason, message, now, is_warning=transition.is_warning)


def rotation_event(owner: Document, rotation: Rotation, now: datetime) -> Document:
    """Return the Event that tells of a rotation's step."""
    is_refused = rotation.phase is RotationPhase.REFUSED
    reason = f"Rotation{rotation.phase.value.capitalize()}"
    return about(owner, reason, f"{rotation.secret}: {rotation.message}", now, is_warning=is_refused)


def about(resource: Document, reason: str, message: str, now: datetime, *, is_warning: bool) -> Document:
    """Return an Event about one of our resources."""
    metadata = resource["metadata"]
    time = timestamp(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": resource["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": "Warning" if is_warning else "Normal",
        "reason": reason,
        "message": message[:EVENT_MESSAGE_LENGTH],
        "source": {"component": names.OPERATOR},
        "reportingComponent": names.OPERATOR,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def forget(namespace: str, name: str) -> None:
    """Take the metrics of a resource that is gone away."""
    metrics.forget((metrics.CONDITION, *metrics.OF_BACKUPS), namespace, name)
