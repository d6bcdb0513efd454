"""`kubectl smartcourse` on PATH."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from smartcourse_dev import golang, plugin
from smartcourse_dev.shell import Log


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "bin"
    found.mkdir()
    monkeypatch.setenv("PATH", str(found))
    monkeypatch.setattr(golang, "directory", lambda: found)
    return found


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


def test_both_programs_are_found_and_run_this_checkout(directory: Path, log: Log) -> None:
    assert not plugin.is_installed()
    plugin.install(log)
    assert plugin.is_installed()
    for program in plugin.PROGRAMS:
        assert Path(str(shutil.which(program))).resolve() == plugin.target_of(program).resolve()


def test_a_link_of_another_checkout_or_of_one_that_is_gone_is_replaced(
    directory: Path, log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "CACHE", tmp_path / "cache")
    for program in plugin.PROGRAMS:
        (directory / program).symlink_to(tmp_path / "cache" / "venv" / "gone" / program)
    assert not plugin.is_installed()
    plugin.install(log)
    assert plugin.is_installed()


def test_what_somebody_installed_otherwise_is_left_alone(directory: Path, log: Log, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    for program in plugin.PROGRAMS:
        (directory / program).symlink_to(own)
    assert plugin.is_installed()
    plugin.install(log)
    assert all((directory / program).readlink() == own for program in plugin.PROGRAMS)
