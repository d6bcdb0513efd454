"""Settings, from environment variables `SMARTCOURSE_OPERATOR_*`; the operator's chart sets them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """How this operator runs. Durations are in seconds."""

    model_config = SettingsConfigDict(env_prefix="SMARTCOURSE_OPERATOR_", frozen=True)

    namespace: str = Field("smartcourse-system", description="The operator's own namespace: its Lease lives there.")
    identity: str = Field("smartcourse-operator", description="What it calls itself in the Lease: its pod's name.")
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = Field((), description="Namespaces served; empty: all.")
    images: dict[str, str] = Field(
        default_factory=dict, description="Image references by component, as JSON, in place of the newest release's."
    )
    image_pull_policy: str = "IfNotPresent"
    public_url: str = Field("http://localhost:8080", description="Where the ingress controller is reached.")
    log_level: str = "INFO"

    chart: Path = Field(Path("/charts/smartcourse"), description="The umbrella chart: the newest release's.")
    releases: Path = Field(
        Path("/etc/smartcourse/releases"),
        description="The release files; in its directory `charts` the packed charts of earlier releases.",
    )
    further_releases: Path = Field(
        Path("/etc/smartcourse/further-releases"),
        description="Release files beside the image's own.",
    )
    helm: str = Field("helm", validation_alias="HELM", description="The Helm program.")

    workers: int = Field(4, ge=1, description="SmartCourses that are reconciled at the same time.")
    resync_seconds: float = Field(30, gt=0, description="A SmartCourse is looked at this often without any event.")
    progress_seconds: float = Field(2, gt=0, description="And this often while it is not Ready.")
    settle_seconds: float = Field(0.2, ge=0, description="Events that come within this time are taken together.")
    stalled_seconds: float = Field(120, gt=0, description="/healthz goes red when no progress was made for so long.")
    failed_job_retry_seconds: float = Field(90, gt=0, description="A Job that failed is tried anew after this time.")

    lease_duration_seconds: int = Field(15, ge=3, description="Others may take the Lease this long after its renewal.")
    lease_renew_seconds: float = Field(3, gt=0, description="The Lease is renewed this often.")
    lease_deadline_seconds: float = Field(10, gt=0, description="Without a renewal for so long the operator exits.")

    health_port: int = 8080
    metrics_port: int = 9090
    bind_address: str = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from outside the pod

    @field_validator("watch_namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
