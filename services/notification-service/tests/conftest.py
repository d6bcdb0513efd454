"""Fixtures of every test of this service."""

import pytest

from notification_service.config import Settings

pytest_plugins = ["shared.testing.servers"]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own environment decides no test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
