"""A platform whose data is being replaced: nothing of ours may write meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

from smartcourse_operator.core import names
from smartcourse_operator.core.conditions import Problem
from smartcourse_operator.core.objects import Document, labels
from smartcourse_operator.core.status import ConditionType

WRITERS = ("gateway", *names.SERVICES)
REASON = "Restoring"


def problem(restore: str) -> Problem:
    """Return what keeps a platform from being Ready while `restore` is at work."""
    message = f"SmartCourseRestore {restore} is replacing the data: services and gateway are stopped"
    return Problem(REASON, message, ConditionType.SERVICES_READY)


def stopped(rendered: Iterable[Document]) -> list[Document]:
    """Return the objects with no pod that could write, and no autoscaler that would bring one back."""
    return [
        {**document, "spec": {**document["spec"], "replicas": 0}} if document["kind"] == "Deployment" else document
        for document in rendered
        if document["kind"] != "HorizontalPodAutoscaler"
    ]


def writers(pods: Iterable[Document]) -> list[str]:
    """Return the names of pods that may still write, Jobs of services included."""
    return sorted(
        pod["metadata"]["name"]
        for pod in pods
        if labels(pod).get(names.LABEL_COMPONENT) in WRITERS
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    )
