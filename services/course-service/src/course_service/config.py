"""What course-service reads from its environment; `.env.example` explains each variable."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from shared.config.settings import BaseServiceSettings, BrokerSettings, DatabaseSettings, ServiceSettings

MAX_ATTACHMENT_CEILING_BYTES = 256 * 1024 * 1024
"""The route of uploads declares that it takes no more, and the gateway holds to that: settings can't go beyond."""


class MongoSettings(BaseServiceSettings):
    """Where lesson bodies are."""

    mongodb_url: SecretStr


class Settings(ServiceSettings, DatabaseSettings, BrokerSettings, MongoSettings):
    """The running service's."""

    service_name: str = "course-service"
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")] = "http://localhost:8080"
    """Where people reach the platform: addresses on certificates begin with it."""
    max_attachment_bytes: Annotated[int, Field(gt=0, le=MAX_ATTACHMENT_CEILING_BYTES)] = 50 * 1024 * 1024

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")


class SeedSettings(DatabaseSettings, MongoSettings):
    """`python -m course_service.seed`'s."""

    service_name: str = "course-service-seed"


class ProvisionSettings(MongoSettings):
    """`python -m course_service.provision`'s: `mongodb_url` is the login that is to be made."""

    service_name: str = "course-service-provision"
    mongodb_admin_url: SecretStr
    course_mongodb_spare_password: SecretStr | None = None
    """The other user's, while a rotation lasts."""
