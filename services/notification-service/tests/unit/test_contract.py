"""What the service promises without being started."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from notification_service import main
from notification_service.events.consumer import handlers
from notification_service.services.announcing import Announcements, Forgetting

OPENAPI = Path(__file__).parents[2] / "openapi.json"


def test_the_committed_openapi_document_is_current() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "notification_service.openapi"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    assert printed == OPENAPI.read_text(), "run: python -m notification_service.openapi > openapi.json"


ROUTES = {
    "GET /api/notifications": "authenticated",
    "GET /api/notifications/unread-count": "authenticated",
    "PATCH /api/notifications/{notification_id}": "authenticated",
    "POST /api/notifications/read-all": "authenticated",
    "GET /api/notifications/preferences": "authenticated",
    "PATCH /api/notifications/preferences": "authenticated",
    "GET /api/notifications/push/key": "authenticated",
    "GET /api/notifications/push/subscriptions": "authenticated",
    "POST /api/notifications/push/subscriptions": "authenticated",
    "DELETE /api/notifications/push/subscriptions/{subscription_id}": "authenticated",
    "GET /api/notifications/dead-letters/events": "admin",
    "POST /api/notifications/dead-letters/events/{letter_id}/replay": "admin",
    "DELETE /api/notifications/dead-letters/events/{letter_id}": "admin",
    "GET /api/notifications/dead-letters/deliveries": "admin",
    "POST /api/notifications/dead-letters/deliveries/{delivery_id}/replay": "admin",
    "DELETE /api/notifications/dead-letters/deliveries/{delivery_id}": "admin",
}


def test_every_route_is_for_people_who_are_logged_in_and_dead_letters_for_administrators() -> None:
    paths = json.loads(OPENAPI.read_text())["paths"]
    routes = {f"{method.upper()} {path}": route for path, methods in paths.items() for method, route in methods.items()}
    declared = {name: route["x-smartcourse-access"] for name, route in routes.items()}
    assert declared == {name: {"allow": [role], "rate": "default"} for name, role in ROUTES.items()}


def test_what_it_listens_to() -> None:
    reactions = handlers(Announcements(frozenset()), Forgetting())
    assert sorted(handler.payload.event_type.name for handler in reactions) == [
        "certificate.issued",
        "certificate.restored",
        "certificate.revoked",
        "enrollment.completed",
        "enrollment.created",
        "enrollment.reinstated",
        "enrollment.suspended",
        "progress.quiz_graded",
        "user.anonymised",
        "user.reactivated",
        "user.registered",
        "user.role_changed",
    ]


def test_nothing_starts_without_configuration() -> None:
    with pytest.raises(SystemExit, match="DATABASE_URL"):
        _ = main.app
