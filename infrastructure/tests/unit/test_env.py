"""What `make env` writes, and what it leaves alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from smartcourse_dev import env
from smartcourse_dev.catalogue import Source

EXAMPLE = """\
# A secret.
REDIS_PASSWORD=
REDIS_PORT=6379
# SMTP_URL=
"""
VALUES = {"REDIS_PASSWORD": "generated", "PYTHON_IMAGE": "smartcourse.local/python:3.11"}


def test_without_a_file_it_is_the_example_with_its_secrets_filled_in() -> None:
    assert env.complete("", EXAMPLE, {"REDIS_PASSWORD": "generated"}) == EXAMPLE.replace(
        "REDIS_PASSWORD=", "REDIS_PASSWORD=generated"
    )


def test_what_somebody_wrote_stays_as_it_is() -> None:
    written = "# mine\nREDIS_PASSWORD=own\nREDIS_PORT=16379\nPYTHON_IMAGE=mine:1\nOTHER=thing\n"
    assert env.complete(written, EXAMPLE, VALUES) == written


def test_an_empty_value_is_filled_and_a_missing_one_added() -> None:
    text = env.complete("REDIS_PASSWORD=", EXAMPLE, VALUES)
    assert env.assignments(text) == {
        "REDIS_PASSWORD": "generated",
        "REDIS_PORT": "6379",
        "PYTHON_IMAGE": "smartcourse.local/python:3.11",
    }


def test_a_second_time_changes_nothing() -> None:
    once = env.complete("", EXAMPLE, VALUES)
    assert env.complete(once, EXAMPLE, VALUES | {"REDIS_PASSWORD": "another"}) == once


def test_the_operators_generator_gives_every_secret_its_own_long_value() -> None:
    first, second = env.generated(), env.generated()
    random = {name: value for name, value in first.items() if name != "ADMIN_EMAIL"}
    assert first.keys() == env.SECRETS.keys()
    assert all(len(value.encode()) >= 32 for value in random.values())
    assert len(set(random.values())) == len(random)
    assert not set(random.values()) & set(second.values())


def test_secrets_are_in_the_example_and_empty_there() -> None:
    example = env.assignments(env.EXAMPLE.read_text("utf-8"))
    assert [name for name, value in example.items() if not value] == list(env.SECRETS)


def test_only_its_owner_can_read_the_file_also_one_that_others_could(tmp_path: Path) -> None:
    target = tmp_path / ".env"
    target.write_text("REDIS_PASSWORD=own\n")
    target.chmod(0o644)
    assert env.ensure(target, Source.UPSTREAM)
    assert not env.ensure(target, Source.UPSTREAM)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert env.assignments(target.read_text())["REDIS_PASSWORD"] == "own"
    assert list(tmp_path.iterdir()) == [target]


def test_images_are_named_only_where_none_can_be_pulled() -> None:
    assert env.images(Source.UPSTREAM) == {}
    assert env.images(Source.OFFLINE)["REDIS_IMAGE"] == "smartcourse.local/redis:7"


@pytest.mark.parametrize(("source", "is_told"), [(Source.OFFLINE, True), (Source.UPSTREAM, False)])
def test_who_cannot_pull_images_is_told_what_makes_them(
    source: Source, is_told: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(env, "TARGET", tmp_path / ".env")
    monkeypatch.setenv("IMAGES", source.value)
    assert env.main() == 0
    assert ("make compose" in capsys.readouterr().out) is is_told
