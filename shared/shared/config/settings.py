"""Settings that services share: each is a class to inherit, so that a service asks for what it uses and no more.

    class Settings(BaseServiceSettings, DatabaseSettings, IdentitySettings):
        service_name: str = "user-service"

    settings = load(Settings)

A field's environment variable is its name in capitals; an empty variable counts as unset. A file ``.env`` in the
working directory is read too; the environment goes before it.
"""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, FilePath, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

MINIMUM_SECRET_BYTES = 32


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < MINIMUM_SECRET_BYTES:
        raise ValueError(f"must be at least {MINIMUM_SECRET_BYTES} bytes long: make one with `openssl rand -hex 32`")
    return secret


SigningSecret = Annotated[SecretStr, AfterValidator(_long_enough)]
"""A key for HMAC; shorter than 32 bytes it is refused (RFC 7518, section 3.2)."""


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, frozen=True
    )


class BaseServiceSettings(_Settings):
    """What every process has: a name, logs, metrics and traces."""

    service_name: str
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    metrics_port: Annotated[int, Field(ge=0, le=65535, description="Own listener for Prometheus; 0 turns it off")] = (
        9090
    )
    otel_exporter_otlp_endpoint: str | None = None
    otel_service_name: str | None = None

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


class DatabaseSettings(_Settings):
    """PostgreSQL. The longest wait for a connection and for a statement are in seconds."""

    database_url: SecretStr
    database_pool_size: Annotated[int, Field(ge=1)] = 5
    database_max_overflow: Annotated[int, Field(ge=0)] = 10
    database_pool_timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
    database_statement_timeout_seconds: Annotated[float, Field(gt=0)] = 15.0

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        sqlalchemy_url(value)
        return value

    @property
    def sqlalchemy_url(self) -> URL:
        """The address for SQLAlchemy's asyncpg driver. Printing it hides the password."""
        return sqlalchemy_url(self.database_url)


class IdentitySettings(_Settings):
    """The key that proves that a request came through the gateway, and its predecessor during a rotation."""

    gateway_identity_key: SigningSecret
    gateway_identity_key_previous: SigningSecret | None = None


class RedisSettings(_Settings):
    """Redis, password included: ``redis://:password@host:6379/0``."""

    redis_url: SecretStr

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("must start with redis:// or rediss://")
        return value


class BrokerSettings(BaseServiceSettings, RedisSettings):
    """What carries events. Redis is there with Kafka too: it also carries what is no event.

    ``kafka_security`` left out follows from the rest: SASL with a username, TLS with it or with a CA file.
    ``kafka_prefix`` goes before all names in Kafka, for installations that share a cluster. Topics are made with
    ``kafka_partitions``, ``kafka_replication`` (-1 is the cluster's default) and ``kafka_retention_hours``.
    """

    events_broker: Literal["redis", "kafka"] = "redis"
    kafka_bootstrap_servers: str | None = None
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] | None = None
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: FilePath | None = None
    kafka_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    kafka_partitions: Annotated[int, Field(ge=1, le=1000)] = 3
    kafka_replication: Annotated[int, Field(ge=-1, le=9)] = -1
    kafka_retention_hours: Annotated[int, Field(ge=24)] = 168

    @property
    def kafka_protocol(self) -> str:
        """``kafka_security``, given or concluded."""
        if self.kafka_security:
            return self.kafka_security
        if self.kafka_username:
            return "sasl_ssl"
        return "ssl" if self.kafka_ca_file else "plaintext"

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.events_broker != "kafka":
            return self
        if not self.kafka_bootstrap_servers:
            raise ValueError("EVENTS_BROKER=kafka needs KAFKA_BOOTSTRAP_SERVERS: host:9092,host:9092")
        if self.kafka_protocol.startswith("sasl_") and not (self.kafka_username and self.kafka_password):
            raise ValueError("SASL needs both KAFKA_USERNAME and KAFKA_PASSWORD")
        return self


class ServiceSettings(BaseServiceSettings, IdentitySettings):
    """The least a service behind the gateway has; what ``create_app`` needs."""


def sqlalchemy_url(source: SecretStr | str | URL) -> URL:
    """Read ``postgresql://…`` as an address for the asyncpg driver. Raises ValueError without quoting it."""
    text = source.get_secret_value() if isinstance(source, SecretStr) else source
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("must look like postgresql://user:password@host:5432/database") from None
    if url.drivername.partition("+")[0] not in {"postgresql", "postgres"} or not url.database:
        raise ValueError("must look like postgresql://user:password@host:5432/database")
    return url.set(drivername="postgresql+asyncpg")


S = TypeVar("S", bound=BaseSettings)


def load(settings_class: type[S]) -> S:
    """Read settings from the environment.

    Raises SystemExit with a message that names each variable that is missing or wrong, never a value.
    """
    try:
        return settings_class()
    except ValidationError as error:
        problems = [
            f"  {'.'.join(map(str, each['loc'])).upper() or 'settings'}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise SystemExit("Cannot start, these environment variables need attention:\n" + "\n".join(problems)) from None
