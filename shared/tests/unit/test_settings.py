"""Settings are complete and good, or nothing starts."""

import pytest
from pydantic import SecretStr

from shared.config.settings import BaseServiceSettings, DatabaseSettings, IdentitySettings, RedisSettings, load


class Settings(BaseServiceSettings, DatabaseSettings, IdentitySettings, RedisSettings):
    service_name: str = "example-service"


GOOD = {
    "DATABASE_URL": "postgresql://user_a:p%40ss@db:5432/smartcourse",
    "REDIS_URL": "redis://:password@redis:6379/0",
    "GATEWAY_IDENTITY_KEY": "k" * 32,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)  # no .env here
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_settings_come_from_the_environment() -> None:
    settings = load(Settings)
    assert settings.service_name == "example-service"
    assert settings.metrics_port == 9090
    assert settings.sqlalchemy_url.drivername == "postgresql+asyncpg"
    assert settings.sqlalchemy_url.password == "p@ss"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_IDENTITY_KEY_PREVIOUS", "")
    assert load(Settings).gateway_identity_key_previous is None


def test_log_level_may_be_written_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert load(Settings).log_level == "DEBUG"


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SystemExit, match=name):
        load(Settings)


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    with pytest.raises(SystemExit) as refusal:
        load(Settings)
    assert all(name in str(refusal.value) for name in GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_IDENTITY_KEY", "short-key-of-31-bytes-xxxxxxxxx"),
        ("GATEWAY_IDENTITY_KEY_PREVIOUS", "short-previous-key"),
        ("DATABASE_URL", "mysql://root:hunter2@db/smartcourse"),
        ("DATABASE_URL", "postgresql://root:hunter2@db:port/x"),
        ("REDIS_URL", "http://:hunter2@redis"),
    ],
)
def test_a_wrong_value_is_refused_and_never_printed(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=name) as refusal:
        load(Settings)
    assert value not in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_a_secret_of_32_bytes_counts_bytes_not_characters() -> None:
    assert Settings(gateway_identity_key=SecretStr("ä" * 16)).gateway_identity_key


def test_printing_settings_shows_no_secret() -> None:
    settings = load(Settings)
    assert "p%40ss" not in repr(settings)
    assert "p@ss" not in str(settings.sqlalchemy_url)
    assert "k" * 32 not in repr(settings)
