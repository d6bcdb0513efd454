"""Starting the engine after it died, and choosing the client."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smartcourse_dev import debian, docker, engine, golang
from smartcourse_dev.shell import CommandError, Log, capture


@pytest.fixture
def pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "docker.pid"
    monkeypatch.setattr(engine, "PID_FILES", {"dockerd": path})
    return path


def test_a_pid_file_of_a_dead_daemon_is_removed(pid_file: Path, tmp_path: Path) -> None:
    pid_file.write_text(str(os.getpid()))  # alive, but no dockerd: its number was given anew
    engine.forget_dead_daemons(Log(tmp_path / "log"))
    assert not pid_file.exists()


def test_a_pid_file_of_a_living_daemon_stays(pid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = Path("/proc/self/comm").read_text().strip()
    monkeypatch.setattr(engine, "PID_FILES", {name: pid_file})
    pid_file.write_text(str(os.getpid()))
    engine.forget_dead_daemons(Log(tmp_path / "log"))
    assert pid_file.exists()


def test_what_an_administrator_configured_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = tmp_path / "etc" / "daemon.json"
    configuration.parent.mkdir()
    configuration.write_text('{"data-root": "/data"}')
    built = tmp_path / "built"
    built.mkdir()
    (built / "runc-capped").write_text("program")
    monkeypatch.setattr(engine, "CONFIGURATION", configuration)
    monkeypatch.setattr(engine, "WRAPPER", tmp_path / "runc-capped")
    monkeypatch.setattr(engine, "needs_wrapper", lambda: True)
    monkeypatch.setattr(golang, "output", lambda _: built)
    engine.configure(Log(tmp_path / "log"))
    assert '"data-root": "/data"' in configuration.read_text()
    assert '"default-runtime": "capped"' in configuration.read_text()


def fake_client(path: Path, *, version: str, has_plugin: bool) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "Docker version {version}, build x" && exit\n'
        f"exit {int(not has_plugin)}\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("version", "has_plugin", "builds"), [("20.10.24", False, True), ("28.2.2", False, False),
                                                               ("28.2.2", True, True)])  # fmt: skip
def test_a_client_that_can_not_build_is_passed_over(
    tmp_path: Path, version: str, *, has_plugin: bool, builds: bool
) -> None:
    client = fake_client(tmp_path / "docker", version=version, has_plugin=has_plugin)
    assert docker._builds(str(client)) is builds


def test_debians_client_is_used_once_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fake_client(tmp_path / "early/docker", version="28.2.2", has_plugin=False)
    monkeypatch.setenv("PATH", str(first.parent), prepend=os.pathsep)
    monkeypatch.setattr(docker, "DEBIANS_CLIENT", str(tmp_path / "debian/docker"))
    assert docker.client() == str(first)
    debians = fake_client(tmp_path / "debian/docker", version="20.10.24", has_plugin=False)
    assert docker.client() == str(debians)


def test_a_failed_program_is_named_with_its_last_words() -> None:
    with pytest.raises(CommandError, match=r"exit code 4: nobody there"):
        capture("sh", "-c", "echo nobody there >&2; exit 4")


def test_a_program_that_hangs_is_an_error() -> None:
    with pytest.raises(CommandError, match="no answer within"):
        capture("sleep", "5", timeout_seconds=0.1)


def test_the_linker_writes_kubernetes_version() -> None:
    flags = golang.linker_flags("kubernetes")
    assert f"gitVersion={golang.KUBERNETES_VERSION}" in flags
    assert "gitMajor=1 " in flags


def test_pip_is_told_of_this_machines_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "own_authorities", lambda: [Path("own.crt")])
    assert "cert = /etc/ssl/certs/ca-certificates.crt" in debian.pip_configuration()
