"""Whether an applied object does its work yet, told by its status alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from smartcourse_operator.core import names
from smartcourse_operator.core.objects import Document, Reference, labels, reference


class Progress(StrEnum):
    DONE = "done"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True)
class State:
    """How far an object is, with a reason for programs and a message for people."""

    progress: Progress
    reason: str = ""
    message: str = ""


DONE = State(Progress.DONE)
PROGRESSING = "Progressing"
"""The reason of what merely needs time."""
WAITING_REASONS_OF_TROUBLE = {
    "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull", "ErrImagePull",
    "ImageInspectError", "ImagePullBackOff", "InvalidImageName", "RunContainerError",
}  # fmt: skip
LOG_LINES = 5
LOG_ENDS = "; its log ends: "
MESSAGE_LENGTH = 600


def waiting(message: str) -> State:
    return State(Progress.WAITING, PROGRESSING, message)


def unknown_kind(one: Reference, api_version: str) -> State:
    """Return the state of an object whose kind the cluster has not been taught."""
    message = f"{one} cannot be made: the cluster does not know {one.kind} of {api_version}; install its definition"
    return State(Progress.FAILED, "KindUnknown", message)


def state_of(document: Document) -> State:
    """Return the state of a live object. Kinds without a status of interest are done once they exist."""
    match document["kind"]:
        case "Deployment":
            return _deployment(document)
        case "StatefulSet":
            return _stateful_set(document)
        case "Job":
            return _job(document)
        case _:
            return DONE


def _is_observed(document: Document) -> bool:
    observed: int = document.get("status", {}).get("observedGeneration", 0)
    generation: int = document["metadata"].get("generation", 0)
    return observed >= generation


def _deployment(document: Document) -> State:
    status, wanted = document.get("status", {}), document["spec"].get("replicas", 1)
    name = reference(document)
    if not _is_observed(document):
        return waiting(f"{name} was just changed")
    if status.get("updatedReplicas", 0) < wanted:
        return waiting(f"{name}: {status.get('updatedReplicas', 0)} of {wanted} pods are of the present revision")
    if status.get("availableReplicas", 0) < wanted:
        return waiting(f"{name}: {status.get('availableReplicas', 0)} of {wanted} pods are available")
    if status.get("replicas", 0) > status.get("updatedReplicas", 0):
        return waiting(f"{name}: pods of an earlier revision are leaving")
    return DONE


def _stateful_set(document: Document) -> State:
    status, wanted = document.get("status", {}), document["spec"].get("replicas", 1)
    name = reference(document)
    if not _is_observed(document):
        return waiting(f"{name} was just changed")
    if status.get("readyReplicas", 0) < wanted:
        return waiting(f"{name}: {status.get('readyReplicas', 0)} of {wanted} pods are ready")
    if status.get("updateRevision") != status.get("currentRevision") and status.get("updatedReplicas", 0) < wanted:
        return waiting(f"{name}: pods of an earlier revision are being replaced")
    return DONE


def _job(document: Document) -> State:
    name = reference(document)
    for condition in document.get("status", {}).get("conditions") or ():
        if condition.get("status") != "True":
            continue
        if condition["type"] in ("Complete", "SuccessCriteriaMet"):
            return DONE
        if condition["type"] == "Failed":
            return State(Progress.FAILED, "JobFailed", f"{name} failed: {condition.get('message', 'no message')}")
    return waiting(f"{name} has not finished")


def failed_at(document: Document) -> str | None:
    """Return when a Job failed, as the API writes times."""
    conditions = document.get("status", {}).get("conditions") or ()
    return next(
        (c.get("lastTransitionTime") for c in conditions if c["type"] == "Failed" and c["status"] == "True"), None
    )


def pods_of(document: Document, pods: Iterable[Document]) -> list[Document]:
    """Return the pods that a workload or Job has made, by their labels."""
    if document["kind"] == "Job":
        wanted = {names.LABEL_JOB: document["metadata"]["name"]}
    else:
        wanted = (document["spec"].get("selector") or {}).get("matchLabels") or {}
    return [pod for pod in pods if wanted and wanted.items() <= labels(pod).items()]


@dataclass(frozen=True)
class Trouble:
    """A pod that does not get on, and where its log is worth reading."""

    pod: str
    container: str
    reason: str
    message: str
    has_log: bool


def trouble_of(pod: Document) -> Trouble | None:
    """Return why a pod does not run, None if nothing speaks against it."""
    status = pod.get("status", {})
    for group in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(group) or ():
            if found := _container_trouble(pod["metadata"]["name"], container):
                return found
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            reason = condition.get("reason", "Unschedulable")
            return Trouble(pod["metadata"]["name"], "", reason, condition.get("message", ""), has_log=False)
    return None


def _container_trouble(pod: str, container: Document) -> Trouble | None:
    state = container.get("state", {})
    waits, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if waits.get("reason") in WAITING_REASONS_OF_TROUBLE:
        has_log = container.get("restartCount", 0) > 0
        return Trouble(pod, container["name"], waits["reason"], waits.get("message", ""), has_log=has_log)
    if ended.get("exitCode"):
        message = ended.get("message") or f"exit code {ended['exitCode']}"
        return Trouble(pod, container["name"], ended.get("reason", "Error"), message, has_log=True)
    return None


def describe(trouble: Trouble, of: Reference, log: str) -> State:
    """Return the state of an object whose pod is in trouble; `log` is the end of that container's log."""
    where = f"{of}: pod {trouble.pod}" + (f", container {trouble.container}" if trouble.container else "")
    text = f"{where}: {trouble.reason}: {trouble.message}".rstrip(": ")
    tail = " | ".join(line.strip() for line in log.strip().splitlines()[-LOG_LINES:] if line.strip())
    return State(Progress.WAITING, trouble.reason, _with_log(text, tail))


def _with_log(text: str, tail: str) -> str:
    """Return a message of limited length. Of a log its end is kept: the cause is told last."""
    room = MESSAGE_LENGTH - len(text) - len(LOG_ENDS)
    if not tail or room < 2:
        return text[:MESSAGE_LENGTH]
    return text + LOG_ENDS + (tail if len(tail) <= room else f"…{tail[-(room - 1) :]}")
