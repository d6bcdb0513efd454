"""Names and labels that the operator, its charts and its users agree on."""

from __future__ import annotations

GROUP = "smartcourse.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "SmartCourse"
PLURAL = "smartcourses"
BACKUP_KIND, BACKUP_PLURAL = "SmartCourseBackup", "smartcoursebackups"
RESTORE_KIND, RESTORE_PLURAL = "SmartCourseRestore", "smartcourserestores"
PLURALS = (PLURAL, BACKUP_PLURAL, RESTORE_PLURAL)

FIELD_MANAGER = "smartcourse-operator"
FINALIZER = f"{GROUP}/operator"
OPERATOR = "smartcourse-operator"
OPERATOR_NAMESPACE = "smartcourse-system"

LABEL_PHASE = f"{GROUP}/phase"
LABEL_NAME = "app.kubernetes.io/name"
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_PART_OF = "app.kubernetes.io/part-of"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_VERSION = "app.kubernetes.io/version"
LABEL_TASK = f"{GROUP}/task"
"""On the Jobs of backups and restores: what they do."""
LABEL_SCHEDULED = f"{GROUP}/scheduled"
LABEL_JOB = "batch.kubernetes.io/job-name"
PART_OF = "smartcourse"

ANNOTATION_APPLIED = f"{GROUP}/applied"
"""On every applied object: the digest of what was applied, so that a field we no longer set is noticed too."""

NAME_MAX_LENGTH = 40
TASK_NAME_MAX_LENGTH = 53  # a Job is named after it, and ends in -restore
SERVICES = ("user", "course", "notification")
DATASTORES = ("postgres", "mongodb", "redis")
COMPONENTS = ("gateway", *SERVICES, *DATASTORES)


def instance_selector(name: str) -> str:
    """Return the label selector of everything that belongs to the SmartCourse `name`."""
    return f"{LABEL_INSTANCE}={name}"


def secret_labels(name: str, component: str) -> dict[str, str]:
    """Return the labels of a Secret that the operator generates."""
    return {
        LABEL_NAME: component,
        LABEL_INSTANCE: name,
        LABEL_COMPONENT: component,
        LABEL_PART_OF: PART_OF,
        LABEL_MANAGED_BY: OPERATOR,
    }
