"""What the process refuses to start with."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.config.settings import load
from user_service.config import SeedSettings, Settings

URLS = {"database_url": "postgresql://u:p@localhost/db", "redis_url": "redis://:p@localhost:6379/0"}


def settings(secret_settings: dict[str, Any], **changes: Any) -> Settings:
    return Settings(**URLS | secret_settings | changes)


def test_lifetimes_are_a_quarter_of_an_hour_and_a_week(secret_settings: dict[str, Any]) -> None:
    made = settings(secret_settings)
    assert made.access_lifetime.total_seconds() == 15 * 60
    assert made.session_lifetime.days == 7


@pytest.mark.parametrize("name", ["jwt_secret_key", "jwt_secret_key_previous", "gateway_identity_key"])
def test_a_secret_below_32_bytes_is_refused(secret_settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError, match="at least 32 bytes"):
        settings(secret_settings, **{name: "x" * 31})


def test_another_algorithm_than_hs256_is_refused(secret_settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="HS256"):
        settings(secret_settings, jwt_algorithm="none")


def test_missing_variables_are_named_and_values_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", "too-short-a-secret")
    with pytest.raises(SystemExit) as stop:
        load(Settings)
    message = str(stop.value)
    for name in ("JWT_SECRET_KEY", "GATEWAY_IDENTITY_KEY", "DATABASE_URL", "REDIS_URL"):
        assert name in message
    assert "too-short-a-secret" not in message


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, secret_settings: dict[str, Any]) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY_PREVIOUS", "")
    assert settings(secret_settings).jwt_secret_key_previous is None


def test_no_secret_is_printed(secret_settings: dict[str, Any]) -> None:
    assert secret_settings["jwt_secret_key"] not in repr(settings(secret_settings))


def test_the_administrators_address_may_be_an_intranets_but_must_be_one() -> None:
    seed = SeedSettings(
        database_url=URLS["database_url"], admin_email=" Admin@Academy.local ", admin_password="long-enough"
    )
    assert seed.admin_email == "admin@academy.local"
    with pytest.raises(ValidationError):
        SeedSettings(database_url=URLS["database_url"], admin_email="admin", admin_password="long-enough")
