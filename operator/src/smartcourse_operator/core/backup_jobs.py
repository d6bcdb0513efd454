"""The Jobs that take, check and restore backups, as the API takes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from smartcourse_operator.core import names
from smartcourse_operator.core.backups import Backup, BackupVolume, Repository
from smartcourse_operator.core.objects import Document
from smartcourse_operator.core.spec import SmartCourseSpec

COMPONENT = "backup"
USER = 10001
MOUNT, SCRATCH, TEMPORARY = "/repository", "/scratch", "/tmp"  # noqa: S108 - volumes of the pod's own
BROKEN = 3
"""Exit code of a backup that is not whole: to try again would not help."""
RETRIES = 2
DEADLINE_SECONDS = 6 * 3600
KEPT_SECONDS = 24 * 3600
"""A Job whose result nobody has read by then is run again: each knows what it has done."""


class Task(StrEnum):
    BACKUP = "backup"
    CHECK = "check"
    RESTORE = "restore"


def repository_of(name: str, namespace: str, backup: Backup) -> Repository:
    """Return where the backups of a SmartCourse are kept."""
    secret = backup.encryption_secret_name or f"{name}-{COMPONENT}"
    if s3 := backup.destination.s3:
        placed = s3.model_copy(update={"prefix": s3.prefix or f"{namespace}/{name}"})
        return Repository(s3=placed, encryption_secret_name=secret)
    return Repository(claim_name=f"{name}-{COMPONENT}", encryption_secret_name=secret)


def labels(name: str) -> dict[str, str]:
    """Return the labels of what belongs to a SmartCourse's backups."""
    return {
        names.LABEL_NAME: COMPONENT,
        names.LABEL_INSTANCE: name,
        names.LABEL_COMPONENT: COMPONENT,
        names.LABEL_PART_OF: names.PART_OF,
    }


def claim(name: str, namespace: str, backup: Backup) -> Document | None:
    """Return the volume claim that backups are kept in, None where they go to a bucket. Nothing owns it: it stays."""
    if backup.destination.s3:
        return None
    volume = backup.destination.volume or BackupVolume()
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": f"{name}-{COMPONENT}",
            "namespace": namespace,
            "labels": {**labels(name), names.LABEL_MANAGED_BY: names.OPERATOR},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": volume.size}},
            **({"storageClassName": volume.storage_class_name} if volume.storage_class_name else {}),
        },
    }


@dataclass(frozen=True)
class Assignment:
    """What a Job is to do, for whom, and with which image."""

    task: Task
    owner: Document
    name: str
    spec: SmartCourseSpec
    repository: Repository
    image: str
    image_pull_policy: str
    settings: dict[str, str]


def job_name(owner: Document, task: Task) -> str:
    return f"{owner['metadata']['name']}-{task}"


def job(assignment: Assignment) -> Document:
    """Return the Job; it goes with the SmartCourseBackup or SmartCourseRestore that it works for."""
    owner = assignment.owner
    metadata = owner["metadata"]
    marks = {**labels(assignment.name), names.LABEL_TASK: assignment.task.value}
    reference = {
        "apiVersion": names.API_VERSION, "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"],
        "controller": True, "blockOwnerDeletion": False,
    }  # fmt: skip
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(owner, assignment.task),
            "namespace": metadata["namespace"],
            "labels": {**marks, names.LABEL_MANAGED_BY: names.OPERATOR},
            "ownerReferences": [reference],
        },
        "spec": {
            "backoffLimit": RETRIES,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "podFailurePolicy": {"rules": [
                {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [BROKEN]}},
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]},
            "template": {"metadata": {"labels": marks}, "spec": pod(assignment)},
        },
    }  # fmt: skip


def pod(assignment: Assignment) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [{"name": name, "emptyDir": {}} for name in ("scratch", "tmp")]
    mounts = [{"name": "scratch", "mountPath": SCRATCH}, {"name": "tmp", "mountPath": TEMPORARY}]
    if claim_name := assignment.repository.claim_name:
        volumes.append({"name": "repository", "persistentVolumeClaim": {"claimName": claim_name}})
        mounts.append({"name": "repository", "mountPath": MOUNT})
    container = {
        "name": COMPONENT,
        "image": assignment.image,
        "imagePullPolicy": assignment.image_pull_policy,
        "args": [assignment.task.value],
        "env": environment(assignment),
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }  # fmt: skip
    return {
        "serviceAccountName": f"{assignment.name}-{COMPONENT}",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }  # fmt: skip


def environment(assignment: Assignment) -> list[dict[str, Any]]:
    """Return what the program reads; passwords come from Secrets, never through this process."""
    databases, name = assignment.spec.databases, assignment.name
    repository = assignment.repository
    secrets = [
        ("POSTGRES_ADMIN_URL", databases.postgres.secret_name or f"{name}-postgres", "admin-url"),
        ("MONGODB_ADMIN_URL", databases.mongodb.secret_name or f"{name}-mongodb", "admin-url"),
        ("RESTIC_PASSWORD", repository.encryption_secret_name, "password"),
    ]
    if assignment.task is Task.RESTORE:
        secrets.append(("REDIS_URL", databases.redis.secret_name or f"{name}-redis", "url"))
    if s3 := repository.s3:
        secrets += [("AWS_ACCESS_KEY_ID", s3.secret_name, "access-key-id"),
                    ("AWS_SECRET_ACCESS_KEY", s3.secret_name, "secret-access-key")]  # fmt: skip
        place = f"s3:{s3.endpoint.rstrip('/')}/{s3.bucket}/{s3.prefix}"
    else:
        place = MOUNT
    plain = {"RESTIC_REPOSITORY": place, **assignment.settings}
    return [
        *({"name": key, "value": value} for key, value in plain.items()),
        *(
            {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
            for variable, secret, key in secrets
        ),
    ]
