"""How `make generate` treats the pins."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartcourse_dev import generate


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """The commands by which pins are compiled, recorded instead of run; every other generator gives nothing."""
    (tmp_path / "constraints.txt").write_text("structlog==1.0\n", encoding="utf-8")
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "GENERATED", {})
    monkeypatch.setattr(generate, "GENERATED_FOLDERS", {})
    monkeypatch.setattr(generate, "run", lambda *command: commands.append(command) or "")
    return commands


def test_pins_that_fit_stay(compiled: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPGRADE", raising=False)
    assert generate.main() == 0
    assert "--upgrade" not in compiled[0]


def test_pins_move_up_when_that_is_asked_for(compiled: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPGRADE", "1")
    assert generate.main() == 0
    assert "--upgrade" in compiled[0]


def test_a_check_never_asks_for_newer_pins(compiled: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPGRADE", "1")
    assert generate.stale() == []
    assert "--upgrade" not in compiled[0]
