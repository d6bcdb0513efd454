"""Fixtures of every test of this service."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from user_service.config import Settings

pytest_plugins = ["shared.testing.servers"]


@pytest.fixture(scope="session")
def secret_settings() -> dict[str, Any]:
    """Settings that need no server."""
    return {
        "gateway_identity_key": secrets.token_hex(32),
        "jwt_secret_key": secrets.token_hex(32),
        "metrics_port": 0,
        "_env_file": None,
    }


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's own environment, or the file `.env`, decides no test."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
