"""`support-bundle`: complete, and without a secret."""

from __future__ import annotations

import base64
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest

from smartcourse_operator.core import names

from .conftest import SECRETS, Plugin, World

OTHERS = {"by hand": "hand-set-p4ssword", "in a URL": "url-p4ssword", "applied": "applied-p4ssword", "env": "env-p4ss"}


def packed(target: Path) -> dict[str, str]:
    with tarfile.open(target) as tar:
        return {entry.name.partition("/")[2]: content.read().decode()
                for entry in tar.getmembers() if (content := tar.extractfile(entry))}  # fmt: skip


def strew(world: World) -> None:
    """Put secrets wherever they might be."""
    password = SECRETS["academy-user-db"]["password"]
    collector = f"http://me:{OTHERS['in a URL']}@collector:4318"
    user = {"env": {"EXTRA": OTHERS["env"]}}
    world.smart_course(spec={"services": {"user": user}, "monitoring": {"otlpEndpoint": collector}})
    world.secrets()
    world.pod("user", env={"PASSWORD": OTHERS["by hand"], "NOTE": SECRETS["bystander"]["pin"]})
    metadata = {
        "name": "academy-notes",
        "labels": {names.LABEL_INSTANCE: "academy"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": f'{{"x": "{OTHERS["applied"]}"}}'},
    }
    data = {
        "plain": f"it is {password}!",
        "encoded": base64.b64encode(password.encode()).decode(),
        "quoted": quote(password, safe=""),
        "long": "one\n" + "x" * 300 + " " + SECRETS["academy-auth"]["identity-key"] + " " + "y" * 300,
        "line": "and a longer second line",
    }
    world.create("/api/v1/configmaps", {"metadata": metadata, "data": data})


def test_no_value_of_a_secret_is_in_it_however_it_is_written(world: World, plugin: Plugin, tmp_path: Path) -> None:
    strew(world)
    target = tmp_path / "bundle.tar.gz"
    done = plugin("support-bundle", "-f", str(target))
    assert done.code == 0, done.err
    text = "\n".join(packed(target).values())
    values = {value for secret in SECRETS.values() for value in secret.values()} - {"smartcourse"}
    for value in values | set(OTHERS.values()):
        for form in (value, value.strip(), base64.b64encode(value.encode()).decode(), quote(value, safe="")):
            assert form not in text
    assert "and a longer second line" not in text
    assert "[redacted: Secret academy-user-db, password]" in text


def test_it_holds_what_helps(world: World, plugin: Plugin, tmp_path: Path) -> None:
    strew(world)
    target = tmp_path / "bundle.tar.gz"
    done = plugin("support-bundle", "-f", str(target))
    assert done.out == f"{target}\n"
    assert target.stat().st_mode & 0o777 == 0o600
    files = packed(target)
    kinds = {f"objects/{kind}.yaml" for kind in ("pods", "secrets", "configmaps")}
    assert kinds <= files.keys()
    assert {"README.txt", "status.txt", "smartcourse.yaml", "events.yaml", "cluster/version.yaml"} <= files.keys()
    assert "jwt-secret: '[redacted]'" in files["objects/secrets.yaml"]
    assert "EXTRA: '[redacted]'" in files["smartcourse.yaml"]
    assert "academy-user-1" in files["status.txt"]


def test_without_permission_to_read_secrets_it_says_what_that_means(
    world: World, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strew(world)
    world.let_view("traefik")
    monkeypatch.setenv("KUBECONFIG", str(world.plane.kubeconfig("traefik", tmp_path)))
    done = plugin("support-bundle", "-f", str(tmp_path / "bundle.tar.gz"))
    assert done.code == 0, done.err
    assert "values of the Secrets" in done.err
    assert "LOOK before handing it on" in packed(tmp_path / "bundle.tar.gz")["README.txt"]


def test_a_file_that_cannot_be_written_leaves_nothing_and_is_named(
    world: World, plugin: Plugin, tmp_path: Path
) -> None:
    world.smart_course()
    target = tmp_path / "no such folder" / "bundle.tar.gz"
    done = plugin("support-bundle", "-f", str(target))
    assert done.code == 3
    assert f"{target} cannot be written: No such file or directory" in done.err
