"""What course-service reads from its environment; `.env.example` explains each variable."""

from __future__ import annotations

from pydantic import SecretStr

from shared.config.settings import BaseServiceSettings, DatabaseSettings, RedisSettings, ServiceSettings


class MongoSettings(BaseServiceSettings):
    """Where lesson bodies are."""

    mongodb_url: SecretStr


class Settings(ServiceSettings, DatabaseSettings, RedisSettings, MongoSettings):
    """The running service's."""

    service_name: str = "course-service"


class SeedSettings(DatabaseSettings, MongoSettings):
    """`python -m course_service.seed`'s."""

    service_name: str = "course-service-seed"


class ProvisionSettings(BaseServiceSettings):
    """`python -m course_service.provision`'s."""

    service_name: str = "course-service-provision"
    mongodb_admin_url: SecretStr
    course_mongodb_password: SecretStr
