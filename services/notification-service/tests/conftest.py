"""Fixtures of every test of this service."""

import sys
from pathlib import Path

import pytest

from notification_service.config import Settings

sys.path.insert(0, str(Path(__file__).parent / "support"))

pytest_plugins = ["shared.testing.servers"]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own environment decides no test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
