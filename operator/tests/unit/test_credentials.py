"""What the generated Secrets hold."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from smartcourse_operator.core import credentials
from smartcourse_operator.core.credentials import Login, Place, SecretInvalidError
from smartcourse_operator.core.spec import SmartCourseSpec


@pytest.fixture
def generate() -> credentials.Generate:
    numbers: Iterator[int] = iter(range(1000))
    return lambda: f"generated-{next(numbers)}"


def plan(
    spec: SmartCourseSpec | None = None, postgres: str | None = None, mongodb: str | None = None
) -> credentials.Plan:
    return credentials.plan(
        "academy", spec or SmartCourseSpec(), postgres_admin_url=postgres, mongodb_admin_url=mongodb
    )


def external(store: str) -> SmartCourseSpec:
    return SmartCourseSpec.model_validate({"databases": {store: {"mode": "external", "secretName": "outside"}}})


def test_what_exists_is_never_replaced(generate: credentials.Generate) -> None:
    for secret in plan().values():
        first = secret.complete({}, generate)
        assert secret.complete(first, generate) == first


def test_a_lost_url_is_made_again_from_the_password_that_is_in_use(generate: credentials.Generate) -> None:
    login = plan()["user-db"]
    first = login.complete({}, generate)
    again = login.complete({"password": first["password"]}, generate)
    assert again == first
    assert first["url"] == f"postgresql://user_a:{first['password']}@academy-postgres:5432/smartcourse"


def test_keys_that_somebody_added_stay(generate: credentials.Generate) -> None:
    assert plan()["auth"].complete({"jwt-secret-previous": "old"}, generate)["jwt-secret-previous"] == "old"


def test_services_of_an_external_server_log_in_at_its_address_with_its_options(generate: credentials.Generate) -> None:
    made = plan(external("postgres"), postgres="postgres://root:p%40ss@db.example:6432/postgres?sslmode=require")
    assert "postgres" not in made
    secret = made["course-db"].complete({}, generate)
    assert secret["url"] == f"postgresql://course_a:{secret['password']}@db.example:6432/smartcourse?sslmode=require"


def test_a_server_that_moved_is_followed_with_the_same_password(generate: credentials.Generate) -> None:
    before = plan(external("postgres"), postgres="postgresql://root:x@old:5432/postgres")["user-db"].complete(
        {}, generate
    )
    after = plan(external("postgres"), postgres="postgresql://root:x@new:5432/postgres")["user-db"].complete(
        before, generate
    )
    assert after["password"] == before["password"]
    assert after["url"] == before["url"].replace("@old:", "@new:")


def test_mongodb_users_are_looked_up_where_they_are_made(generate: credentials.Generate) -> None:
    made = plan(
        external("mongodb"), mongodb="mongodb://root:x@one:27017,two:27017/admin?replicaSet=rs&authSource=other"
    )
    secret = made["course-mongodb"].complete({}, generate)
    assert secret["url"] == (
        f"mongodb://course:{secret['password']}@one:27017,two:27017/smartcourse?replicaSet=rs&authSource=admin"
    )


@pytest.mark.parametrize(
    "url", ["db.example", "mysql://root:geheim@db.example/x", "postgresql:///geheim", "postgresql://[geheim"]
)
def test_an_unusable_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(SecretInvalidError) as refused:
        plan(external("postgres"), postgres=url)
    assert "outside" in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_redis_has_a_password_and_no_user(generate: credentials.Generate) -> None:
    secret = Login("", Place("redis", "academy-redis:6379", "/0")).complete({}, generate)
    assert secret["url"] == f"redis://:{secret['password']}@academy-redis:6379/0"


def test_generated_values_are_long_enough_to_sign_with() -> None:
    assert len(credentials.generate().encode()) >= credentials.MINIMUM_BYTES
    assert credentials.generate() != credentials.generate()


def test_push_keys_belong_together_as_every_other_library_has_them(generate: credentials.Generate) -> None:
    for _ in range(20):
        keys = plan()["push"].complete({}, generate)
        number = int.from_bytes(base64.urlsafe_b64decode(keys["private-key"] + "="))
        public = ec.derive_private_key(number, ec.SECP256R1()).public_key()
        point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        assert base64.urlsafe_b64decode(keys["public-key"] + "=") == point
        assert len(point) == 65


def test_a_lost_public_key_is_made_again_from_the_private_one(generate: credentials.Generate) -> None:
    keys = plan()["push"].complete({}, generate)
    assert plan()["push"].complete({"private-key": keys["private-key"]}, generate) == keys


@pytest.mark.parametrize("key", ["geheim", "geheim?", "geheim" * 8, "A" * 43, "_" * 43])
def test_what_is_no_private_key_is_refused_without_being_repeated(key: str) -> None:
    with pytest.raises(SecretInvalidError, match="academy-push") as refused:
        plan()["push"].complete({"private-key": key}, credentials.generate)
    assert key not in str(refused.value)


def test_push_keys_that_somebody_brings_are_not_generated() -> None:
    assert "push" not in plan(SmartCourseSpec.model_validate({"push": {"secretName": "mine"}}))


def test_a_digest_is_given_only_for_what_is_there() -> None:
    assert credentials.digests({"smtp": {"url": "x"}}).keys() == {"email"}


def test_a_digest_is_that_of_earlier_operators_for_another_would_replace_every_pod() -> None:
    assert credentials.digests({"smtp": {"url": "x"}, "auth": {"a": "1"}}) == {
        "email": "973ad3c0f62ee2b0",
        "auth": "05a9c569a185ac60",
    }


def test_a_digest_changes_with_the_content_and_only_then() -> None:
    first = credentials.digests({"auth": {"a": "1"}, "user-db": {"url": "x"}})
    assert first == credentials.digests({"auth": {"a": "1"}, "user-db": {"url": "x"}})
    second = credentials.digests({"auth": {"a": "1"}, "user-db": {"url": "y"}})
    assert first["auth"] == second["auth"]
    assert first["postgres"] != second["postgres"]


def test_the_command_prints_the_secrets_of_a_plain_helm_install() -> None:
    command = [sys.executable, "-m", "smartcourse_operator.secrets", "--name", "bench", "--namespace", "there"]
    printed = yaml.safe_load(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert {item["metadata"]["name"] for item in printed["items"]} == {
        "bench-admin", "bench-auth", "bench-postgres", "bench-user-db", "bench-course-db", "bench-notification-db",
        "bench-mongodb", "bench-course-mongodb", "bench-redis", "bench-redis-admin", "bench-push",
    }  # fmt: skip
    assert {item["metadata"]["namespace"] for item in printed["items"]} == {"there"}
