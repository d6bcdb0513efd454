"""The kinds SmartCourseBackup and SmartCourseRestore, and `spec.backup` of a SmartCourse.

Their CustomResourceDefinitions are generated from these models (`crd.py`).
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from smartcourse_operator.core.fields import URL, Model, ObjectName, Quantity, SecretName, cel, immutable

CRON_NUMBER = r"([0-9]{1,2}|[A-Za-z]{3})"
CRON_PART = rf"(\*|{CRON_NUMBER}(-{CRON_NUMBER})?)(/[0-9]{{1,2}})?"
SCHEDULE = rf"^{CRON_PART}(,{CRON_PART})*( {CRON_PART}(,{CRON_PART})*){{4}}$"
SNAPSHOT = r"^[0-9a-f]{8,64}$"


class S3(Model):
    """A bucket, at any service that speaks S3."""

    endpoint: str = Field(
        pattern=URL, max_length=512, description="Where the service answers, for example https://s3.example.org."
    )
    bucket: str = Field(min_length=3, max_length=63, pattern=r"^[a-z0-9.-]+$", description="Name of the bucket.")
    prefix: str | None = Field(
        None, max_length=512, pattern=r"^[A-Za-z0-9._/-]+$",
        description="Folder in the bucket. Default: `<namespace>/<name>`. No two SmartCourses may share one.",
    )  # fmt: skip
    secret_name: SecretName = Field(description="A Secret here with the keys `access-key-id` and `secret-access-key`.")


class BackupVolume(Model):
    """A volume for the backups alone: it outlives the databases' volumes, not the cluster."""

    model_config = Model.model_config | {
        "json_schema_extra": cel(
            immutable("storageClassName", "a volume cannot change its class"),
        )
    }

    size: Quantity = Field("10Gi", description="Size of the volume; it may grow later.")
    storage_class_name: str | None = Field(
        None, max_length=253, description="StorageClass of the volume; unset means the cluster's default."
    )


class Destination(Model):
    """Where backups are kept."""

    model_config = Model.model_config | {
        "json_schema_extra": cel(("!(has(self.volume) && has(self.s3))", "destination is volume or s3, not both"))
    }

    volume: BackupVolume | None = Field(
        None, description="A volume of the cluster, `<name>-backup`; used, with its defaults, if nothing else is said."
    )
    s3: S3 | None = Field(None, description="A bucket outside the cluster.")


class Backup(Model):
    """Backups of a SmartCourse."""

    schedule: str | None = Field(
        None, pattern=SCHEDULE, max_length=100,
        description="When backups are made, as in cron (minute hour day month weekday), in UTC: `0 3 * * *`. One that "
        "was missed is made up for once. Unset: only when a SmartCourseBackup is made by hand.",
    )  # fmt: skip
    keep: int = Field(
        7, ge=1, le=365,
        description="How many scheduled backups are kept; those made by hand stay. Older ones go only after a new one "
        "was made and, with `verify`, read back.",
    )  # fmt: skip
    verify: bool = Field(
        True,
        description="Read each backup back before it counts: every block, every document, and PostgreSQL's dump "
        "restored into a server made for that in the backup's own pod.",
    )
    destination: Destination = Field(default_factory=Destination, description="Where backups are kept.")
    encryption_secret_name: SecretName | None = Field(
        None,
        description="A Secret here whose key `password` backups are encrypted with; unset means the operator generates "
        "`<name>-backup`. Keep a copy outside the cluster: without it no backup can be read.",
    )


class Repository(Model):
    """Where a backup is, whatever became of the SmartCourse that it was made of."""

    model_config = Model.model_config | {
        "json_schema_extra": cel(("has(self.claimName) != has(self.s3)", "a repository is a claimName or s3"))
    }

    claim_name: ObjectName | None = Field(None, description="PersistentVolumeClaim that holds it.")
    s3: S3 | None = Field(None, description="Bucket that holds it; `prefix` is required.")
    encryption_secret_name: SecretName = Field(description="Secret whose key `password` it is encrypted with.")


class BackupSpec(Model):
    """What to back up."""

    model_config = Model.model_config | {
        "json_schema_extra": cel(("self == oldSelf", "spec cannot be changed: make another SmartCourseBackup"))
    }

    smart_course: ObjectName = Field(description="The SmartCourse, in this namespace; its spec.backup says where to.")


class RestoreSpec(Model):
    """What to restore, and where to."""

    model_config = Model.model_config | {
        "json_schema_extra": cel(
            ("self == oldSelf", "spec cannot be changed: make another SmartCourseRestore"),
            ("has(self.backup) != has(self.snapshot)", "name a backup, or a snapshot and its repository"),
            ("has(self.snapshot) == has(self.repository)", "snapshot and repository belong together"),
            (
                "!has(self.repository) || !has(self.repository.s3) || has(self.repository.s3.prefix)",
                "repository.s3.prefix is required",
            ),
        )
    }

    smart_course: ObjectName = Field(
        description="The SmartCourse whose data is replaced: that of the backup, or another one, as a rule a new one."
    )
    backup: ObjectName | None = Field(None, description="A completed SmartCourseBackup in this namespace.")
    snapshot: str | None = Field(
        None, pattern=SNAPSHOT, description="A snapshot's id, where its SmartCourseBackup is gone."
    )
    repository: Repository | None = Field(None, description="Where that snapshot is.")


class BackupPhase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"


class RestorePhase(StrEnum):
    PENDING = "Pending"
    CHECKING = "Checking"
    STOPPING = "Stopping"
    RESTORING = "Restoring"
    STARTING = "Starting"
    COMPLETED = "Completed"
    REFUSED = "Refused"
    FAILED = "Failed"


ENDED = frozenset({
    BackupPhase.COMPLETED, BackupPhase.FAILED, RestorePhase.COMPLETED, RestorePhase.REFUSED, RestorePhase.FAILED
})  # fmt: skip
GOOD = frozenset({BackupPhase.COMPLETED, RestorePhase.COMPLETED})


class Contents(Model):
    """How much a store holds."""

    parts: int = Field(description="Tables or collections that are not empty.")
    entries: int = Field(description="Rows or documents.")
    checksum: str = Field(description="A digest of all of them, which their order does not change.", max_length=64)


class TaskStatus(Model):
    """What both kinds tell."""

    message: str | None = Field(None, description="What is being done, or what went wrong.", max_length=2048)
    started_at: str | None = Field(None, description="When the work began.", json_schema_extra={"format": "date-time"})
    completed_at: str | None = Field(None, description="When it ended.", json_schema_extra={"format": "date-time"})
    snapshot: str | None = Field(None, description="The snapshot's id in its repository.", max_length=64)
    release: str | None = Field(None, description="The release that was run when it was taken.", max_length=32)
    taken_at: str | None = Field(
        None, description="The moment that the data is of.", json_schema_extra={"format": "date-time"}
    )
    postgres: Contents | None = Field(None, description="What the backup holds of PostgreSQL.")
    mongodb: Contents | None = Field(None, description="What the backup holds of MongoDB.")


class BackupStatus(TaskStatus):
    """How far a backup is."""

    phase: BackupPhase | None = Field(None, description="Pending, Running, Completed or Failed.")
    size_bytes: int | None = Field(None, description="Size of what it holds, in bytes, before compression.")
    is_verified: bool | None = Field(None, description="Whether it was read back and tried out.")
    repository: Repository | None = Field(None, description="Where it is.")


class RestoreStatus(TaskStatus):
    """How far a restore is."""

    phase: RestorePhase | None = Field(
        None,
        description="Pending, Checking, Stopping, Restoring, Starting, Completed, Failed; Refused: untouched.",
    )


class BackupSummary(Model):
    """What a SmartCourse tells of its backups."""

    scheduled_until: str | None = Field(
        None,
        description="The last moment of the schedule that a backup was made for.",
        json_schema_extra={"format": "date-time"},
    )
    last_completed_at: str | None = Field(
        None, description="The moment that the newest good backup is of.", json_schema_extra={"format": "date-time"}
    )
    last_name: str | None = Field(None, description="Name of the newest good SmartCourseBackup.", max_length=253)
