"""Settings are complete and good, or nothing starts."""

import pytest
from pydantic import SecretStr

from shared.config.settings import (
    BaseServiceSettings,
    BrokerSettings,
    DatabaseSettings,
    IdentitySettings,
    RedisSettings,
    load,
)
from shared.events.brokers import KafkaBesideRedis, kafka_options, make_broker
from shared.events.redis_streams import RedisBroker


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


class Publishing(BrokerSettings):
    service_name: str = "example-service"


def kafka(monkeypatch: pytest.MonkeyPatch, **more: str) -> Publishing:
    variables = {"events_broker": "kafka", "kafka_bootstrap_servers": "k1:9092,k2:9092"} | more
    for name, value in variables.items():
        monkeypatch.setenv(name.upper(), value)
    return load(Publishing)


def test_redis_carries_events_unless_kafka_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_broker(load(Publishing)), RedisBroker)
    assert isinstance(make_broker(kafka(monkeypatch)), KafkaBesideRedis)


@pytest.mark.parametrize(
    ("more", "protocol"),
    [
        ({}, "PLAINTEXT"),
        ({"kafka_username": "u", "kafka_password": "p"}, "SASL_SSL"),
        ({"kafka_security": "ssl"}, "SSL"),
        ({"kafka_security": "sasl_plaintext", "kafka_username": "u", "kafka_password": "p"}, "SASL_PLAINTEXT"),
    ],
)
def test_kafkas_security_follows_from_what_is_given(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str], protocol: str
) -> None:
    security = kafka_options(kafka(monkeypatch, **more)).security
    assert security["security_protocol"] == protocol
    assert ("ssl_context" in security) == protocol.endswith("SSL")
    assert ("sasl_plain_password" in security) == protocol.startswith("SASL")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"kafka_bootstrap_servers": ""}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"kafka_username": "u"}, "KAFKA_PASSWORD"),
        ({"kafka_security": "sasl_ssl"}, "KAFKA_USERNAME"),
        ({"kafka_ca_file": "/nowhere"}, "KAFKA_CA_FILE"),
        ({"kafka_prefix": "a:b"}, "KAFKA_PREFIX"),
    ],
)
def test_incomplete_kafka_settings_are_named(monkeypatch: pytest.MonkeyPatch, more: dict[str, str], named: str) -> None:
    with pytest.raises(SystemExit, match=named):
        kafka(monkeypatch, **more)


def test_kafkas_password_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hunter2" not in repr(kafka(monkeypatch, kafka_username="u", kafka_password="hunter2"))
