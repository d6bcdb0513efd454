"""What the service promises without being started."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from notification_service import main
from notification_service.config import Settings
from notification_service.events.consumer import handlers
from notification_service.services.notification import Announcements
from shared.config.settings import load

OPENAPI = Path(__file__).parents[2] / "openapi.json"


def test_the_committed_openapi_document_is_current() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "notification_service.openapi"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    assert printed == OPENAPI.read_text(), "run: python -m notification_service.openapi > openapi.json"


def test_every_route_is_for_people_who_are_logged_in() -> None:
    paths = json.loads(OPENAPI.read_text())["paths"]
    routes = {f"{method.upper()} {path}": route for path, methods in paths.items() for method, route in methods.items()}
    assert routes.keys() == {
        "GET /api/notifications",
        "PATCH /api/notifications/{notification_id}",
        "POST /api/notifications/read-all",
    }
    for route in routes.values():
        assert route["x-smartcourse-access"] == {"allow": ["authenticated"], "rate": "default"}


def test_a_registration_is_what_it_listens_to() -> None:
    assert [handler.payload.event_type.name for handler in handlers(Announcements())] == ["user.registered"]


def test_a_short_identity_key_keeps_the_service_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://notification_a:x@localhost/smartcourse")
    monkeypatch.setenv("REDIS_URL", "redis://localhost")
    monkeypatch.setenv("GATEWAY_IDENTITY_KEY", "too-short")
    with pytest.raises(SystemExit, match="GATEWAY_IDENTITY_KEY") as refused:
        load(Settings)
    assert "too-short" not in str(refused.value)


def test_nothing_starts_without_configuration() -> None:
    with pytest.raises(SystemExit, match="DATABASE_URL"):
        _ = main.app
