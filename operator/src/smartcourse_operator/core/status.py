"""The `status` of a SmartCourse."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from smartcourse_operator.core.backups import BackupSummary
from smartcourse_operator.core.fields import Model


class Phase(StrEnum):
    """What is being brought about; the order is that of an installation."""

    SECRETS = "secrets"
    DATASTORES = "datastores"
    PROVISION = "provision"
    MIGRATIONS = "migrations"
    SERVICES = "services"
    GATEWAY = "gateway"
    ROUTE = "route"
    FORWARD_AUTH = "forwardAuth"
    SEED = "seed"
    MONITORING = "monitoring"
    CONTRACT = "contract"
    READY = "ready"
    HIBERNATED = "hibernated"


class ConditionType(StrEnum):
    READY = "Ready"
    DATABASES_READY = "DatabasesReady"
    SCHEMA_MIGRATED = "SchemaMigrated"
    SERVICES_READY = "ServicesReady"
    ROUTE_READY = "RouteReady"
    MONITORING_READY = "MonitoringReady"
    BACKED_UP = "BackedUp"
    UPGRADED = "Upgraded"
    DEGRADED = "Degraded"
    PAUSED = "Paused"
    HIBERNATED = "Hibernated"


class Rotated(StrEnum):
    """What can be rotated."""

    JWT = "jwt"
    IDENTITY = "identity"
    DATABASE = "database"
    MONGODB = "mongodb"
    REDIS = "redis"


class RotationPhase(StrEnum):
    """How far a rotation is; the order is that of its steps."""

    REFUSED = "refused"
    WAITING = "waiting"
    INTRODUCED = "introduced"
    PROMOTED = "promoted"
    RETAINED = "retained"
    RETIRING = "retiring"
    COMPLETED = "completed"


class UpgradePhase(StrEnum):
    """How far an upgrade is; the order is that of its steps."""

    EXPANDING = "expanding"
    ROLLING_OUT = "rollingOut"
    SOAKING = "soaking"
    BACKING_UP = "backingUp"
    CONTRACTING = "contracting"
    COMPLETED = "completed"


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One aspect of the state, as in Kubernetes' own API conventions."""

    type: ConditionType = Field(description="The aspect.")
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: str = Field(description="A word for programs.", max_length=128)
    message: str = Field(description="A sentence for people.", max_length=4096)
    last_transition_time: str = Field(
        description="When `status` last changed.", json_schema_extra={"format": "date-time"}
    )
    observed_generation: int = Field(description="The generation of the spec that this was seen for.")


class ObjectReference(Model):
    """An object that the operator has applied."""

    kind: str = Field(description="Kind of the object.", max_length=63)
    name: str = Field(description="Name of the object, in the resource's namespace.", max_length=253)


class Volume(Model):
    """A database's volume, recorded once the schema was there: another one in its place would be empty."""

    name: str = Field(description="Name of the PersistentVolumeClaim.", max_length=253)
    uid: str = Field(description="The claim's uid.", max_length=64)


class GrowthReason(StrEnum):
    """Why a volume is smaller than what is asked for."""

    GROWING = "Growing"
    NOT_GROWN = "VolumeNotGrown"


class Storage(Model):
    """A volume, and how large it is."""

    claim: str = Field(description="Name of the PersistentVolumeClaim.", max_length=253)
    component: str = Field(description="What is kept there: postgres, mongodb, redis or backup.", max_length=63)
    size: str | None = Field(None, description="What the volume has; unset while the claim has none.", max_length=32)
    wanted: str | None = Field(None, description="What spec asks for, while the volume has less.", max_length=32)
    reason: GrowthReason | None = Field(
        None, description="While it has less. Growing: it is being made larger. VolumeNotGrown: it cannot be."
    )
    message: str | None = Field(
        None, description="While it has less: what its growth waits for, or why there is none.", max_length=1024
    )


class KnownRelease(Model):
    """A release that the operator has."""

    version: str = Field(description="The release.", max_length=32)
    upgrade_from: list[str] = Field(default_factory=list, description="Releases that it may follow.")


class Rotation(Model):
    """The last rotation of a secret, or the one under way."""

    secret: Rotated = Field(description="What is rotated: jwt, identity, database, mongodb or redis.")
    phase: RotationPhase = Field(
        description="refused, waiting, introduced, promoted, retained (tokens of the old key live on), retiring or "
        "completed."
    )
    request: str | None = Field(None, description="The annotation's text that asked for it.", max_length=256)
    started_at: str | None = Field(
        None, description="When the new value was made.", json_schema_extra={"format": "date-time"}
    )
    completed_at: str | None = Field(
        None, description="When the old value was made void.", json_schema_extra={"format": "date-time"}
    )
    message: str = Field("", description="A sentence for people.", max_length=1024)


class Upgrade(Model):
    """The last step from one release to another, or the one under way; a way back is one too."""

    before: str = Field(alias="from", description="The release that was run before.", max_length=32)
    to: str = Field(description="The release that is run after it.", max_length=32)
    phase: UpgradePhase = Field(
        description="expanding (the schema gets what the new release needs), rollingOut, soaking (one can go back), "
        "backingUp, contracting (what only the release before needs is removed from the schema) or completed."
    )
    started_at: str = Field(description="When it began.", json_schema_extra={"format": "date-time"})
    served_at: str | None = Field(
        None, description="When the new release served.", json_schema_extra={"format": "date-time"}
    )
    backup: str | None = Field(
        None, description="SmartCourseBackup that was made before the schema was contracted.", max_length=253
    )
    is_contracted: bool = Field(
        False, alias="contracted", description="Whether the schema no longer serves the release before."
    )


class SmartCourseStatus(Model):
    """What the operator has seen and done."""

    phase: Phase | None = Field(
        None, description="What is being brought about, `ready` when nothing is left, `hibernated` when nothing runs."
    )
    url: str | None = Field(None, description="Where people reach the platform.", max_length=512)
    version: str | None = Field(
        None, description="The release that is run; during an upgrade the old one until the new one serves.",
        max_length=32,
    )  # fmt: skip
    upgrade: Upgrade | None = Field(None, description="The last upgrade, or the one under way.")
    observed_generation: int | None = Field(None, description="The generation of the spec that was last acted on.")
    conditions: list[Condition] = Field(
        default_factory=list,
        description="Ready, DatabasesReady, SchemaMigrated, ServicesReady, RouteReady, Degraded and Paused; "
        "MonitoringReady while ServiceMonitors are asked for, BackedUp while spec.backup is set, Upgraded once it was "
        "upgraded, Hibernated while spec.hibernated is true.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    inventory: list[ObjectReference] = Field(
        default_factory=list, description="What the operator has applied; what leaves the charts is removed by it."
    )
    completed_jobs: list[str] = Field(
        default_factory=list, description="Jobs of the present rollout that have done their work."
    )
    volumes: list[Volume] = Field(default_factory=list, description="The databases' volumes once they hold data.")
    storage: list[Storage] = Field(
        default_factory=list,
        max_length=16,
        description="How large the volumes are, those of databases outside excepted.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["claim"]},
    )
    replicas: int | None = Field(None, description="Pods of the gateway, as the scale subresource tells them.")
    selector: str | None = Field(
        None, description="Selects the gateway's pods, for autoscalers over the scale subresource.", max_length=1024
    )
    releases: list[KnownRelease] = Field(
        default_factory=list, description="Releases that the operator has, oldest first: what `spec.version` may name."
    )
    backup: BackupSummary | None = Field(None, description="What has been backed up, while spec.backup is set.")
    restoring: str | None = Field(
        None, description="SmartCourseRestore that replaces the data now: services are stopped.", max_length=253
    )
    restored: str | None = Field(
        None,
        description="The uid of the last SmartCourseRestore; schema migrations run anew after each.",
        max_length=64,
    )
    rotations: list[Rotation] = Field(
        default_factory=list,
        description="The last rotation of each secret, or the one under way.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["secret"]},
    )

    def condition(self, kind: ConditionType) -> Condition | None:
        return next((condition for condition in self.conditions if condition.type == kind), None)
