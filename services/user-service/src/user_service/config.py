"""Settings, from environment variables of the same names in upper case."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.config.settings import BrokerSettings, DatabaseSettings, ServiceSettings, SigningSecret
from shared.utils.validators import Password

LONGEST_ACCESS_LIFETIME = timedelta(days=1)
"""What may be set at most: no access token that was ever issued is good for longer."""


class Settings(ServiceSettings, DatabaseSettings, BrokerSettings):
    """What the service itself needs. Secrets have no default."""

    service_name: str = "user-service"

    jwt_secret_key: SigningSecret
    jwt_secret_key_previous: SigningSecret | None = None
    jwt_algorithm: Literal["HS256"] = "HS256"
    jwt_access_token_expire_minutes: Annotated[int, Field(ge=1, le=LONGEST_ACCESS_LIFETIME // timedelta(minutes=1))] = (
        15
    )
    jwt_refresh_token_expire_days: Annotated[int, Field(ge=1, le=365)] = 7
    jwt_issuer: Annotated[str, Field(min_length=1)] = "smartcourse"
    jwt_audience: Annotated[str, Field(min_length=1)] = "smartcourse-api"

    login_failures_per_account: Annotated[int, Field(ge=1)] = 10
    login_failure_window_seconds: Annotated[int, Field(ge=1)] = 300
    api_keys_per_user: Annotated[int, Field(ge=0)] = 20

    @property
    def access_lifetime(self) -> timedelta:
        return timedelta(minutes=self.jwt_access_token_expire_minutes)

    @property
    def session_lifetime(self) -> timedelta:
        return timedelta(days=self.jwt_refresh_token_expire_days)


class SeedSettings(DatabaseSettings):
    """What the seed command needs."""

    # Any mail system's address, also one that only an intranet knows.
    admin_email: Annotated[
        str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    ]
    admin_password: Password
