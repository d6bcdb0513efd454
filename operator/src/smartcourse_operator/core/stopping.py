"""A platform that is stopped because somebody asked for it: while its data is replaced, or while it is hibernated."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from smartcourse_operator.core import names
from smartcourse_operator.core.conditions import HIBERNATED, RESTORING, Problem
from smartcourse_operator.core.objects import Document, labels
from smartcourse_operator.core.readiness import Progress, state_of
from smartcourse_operator.core.status import ConditionType

WRITERS = ("gateway", *names.SERVICES)
SHOWN = 5


@dataclass(frozen=True)
class Awake:
    """What still runs of a platform that is to be hibernated, by name."""

    users: list[str]
    """What may still use the databases: they are stopped after it."""
    databases: list[str]

    @classmethod
    def of(cls, deployments: Iterable[Document], tasks: Iterable[Document], pods: Iterable[Document]) -> Awake:
        """Return what still runs; `tasks` are the Jobs of backups and restores."""
        at_work = [job["metadata"]["name"] for job in tasks if state_of(job).progress is Progress.WAITING]
        alive = [pod for pod in pods if is_alive(pod)]
        of_databases = [pod for pod in alive if labels(pod).get(names.LABEL_COMPONENT) in names.DATASTORES]
        others = [pod["metadata"]["name"] for pod in alive if pod not in of_databases]
        return cls([*with_pods(deployments), *at_work, *sorted(others)], [p["metadata"]["name"] for p in of_databases])

    def __str__(self) -> str:
        found = [*self.users, *self.databases]
        return f"waits for {', '.join(found[:SHOWN])} to end" if found else ""


def restoring(restore: str) -> Problem:
    """Return what keeps a platform from being Ready while `restore` is at work."""
    message = f"SmartCourseRestore {restore} is replacing the data: services and gateway are stopped"
    return Problem(RESTORING, message, (ConditionType.SERVICES_READY,))


def hibernated(name: str, left: str, *, is_set_up: bool) -> Problem:
    """Return what keeps a platform from being Ready while it is hibernated; `left` says what has not ended yet."""
    kept = "its data is kept" if is_set_up else "it was not set up yet"
    message = f"spec.hibernated is true: nothing runs, {kept}; `kubectl smartcourse wake {name}` sets it to false"
    if left:
        message = f"spec.hibernated is true: it is going to sleep; {left}"
    return Problem(HIBERNATED, message, (ConditionType.DATABASES_READY, ConditionType.SERVICES_READY))


def without_services(rendered: Iterable[Document]) -> list[Document]:
    """Return the objects with no pod that could write, and no autoscaler that would bring one back."""
    return _stopped(rendered, ("Deployment",))


def asleep(rendered: Iterable[Document], awake: Awake) -> list[Document]:
    """Return the objects of which none has a pod, the databases' once nothing uses them any more."""
    kinds = ("Deployment",) if awake.users else ("Deployment", "StatefulSet")
    return [document for document in _stopped(rendered, kinds) if document["kind"] != "Job"]


def _stopped(rendered: Iterable[Document], kinds: Collection[str]) -> list[Document]:
    return [
        {**document, "spec": {**document["spec"], "replicas": 0}} if document["kind"] in kinds else document
        for document in rendered
        if document["kind"] != "HorizontalPodAutoscaler"
    ]


def with_pods(deployments: Iterable[Document]) -> list[str]:
    """Return the names of Deployments that want pods, or have some."""
    return sorted(
        one["metadata"]["name"]
        for one in deployments
        if one["spec"].get("replicas", 1) or (one.get("status") or {}).get("replicas")
    )


def writers(pods: Iterable[Document]) -> list[str]:
    """Return the names of pods that may still write, Jobs of services included."""
    return sorted(
        pod["metadata"]["name"] for pod in pods if labels(pod).get(names.LABEL_COMPONENT) in WRITERS and is_alive(pod)
    )


def is_alive(pod: Document) -> bool:
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
