"""What the READMEs' commands tell a service of what `.env` says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ..checkout import ROOT
from .conftest import SERVICES
from .readme import SECTION, settings

DOTENV = """\
GATEWAY_PORT=18000
ADMIN_EMAIL=admin@example.org
VAPID_PRIVATE_KEY=generated
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The READMEs with a small `.env`."""
    for name in SERVICES:
        (tmp_path / "services" / name).mkdir(parents=True)
        shutil.copy2(ROOT / "services" / name / "README.md", tmp_path / "services" / name)
    (tmp_path / ".env").write_text(DOTENV)
    return tmp_path


@pytest.mark.parametrize("name", ["course-service", "notification-service"])
def test_links_lead_to_the_gateway_unless_dotenv_says_where_people_come_from(checkout: Path, name: str) -> None:
    assert settings(checkout, name)["PUBLIC_URL"] == "http://localhost:18000"
    with (checkout / ".env").open("a") as dotenv:
        dotenv.write("PUBLIC_URL=https://academy.example.org\n")
    assert settings(checkout, name)["PUBLIC_URL"] == "https://academy.example.org"


def test_push_works_with_the_generated_key(checkout: Path) -> None:
    told = settings(checkout, "notification-service")
    assert told["VAPID_PRIVATE_KEY"] == "generated"
    assert told["VAPID_SUBJECT"] == "mailto:admin@example.org"


def test_mail_is_off_until_dotenv_names_a_server(checkout: Path) -> None:
    assert "SMTP_URL" not in settings(checkout, "notification-service")
    with (checkout / ".env").open("a") as dotenv:
        dotenv.write('SMTP_URL=smtp://localhost:1025\nSMTP_FROM="SmartCourse <no-reply@example.org>"\n')
    told = settings(checkout, "notification-service")
    assert told["SMTP_URL"] == "smtp://localhost:1025"
    assert told["SMTP_FROM"] == "SmartCourse <no-reply@example.org>"


@pytest.mark.parametrize("name", [*SERVICES, "api-gateway"])
def test_a_readme_that_starts_datastores_says_what_makes_their_images(name: str) -> None:
    section = SECTION.search((ROOT / "services" / name / "README.md").read_text())
    assert section
    assert "`docker compose up --detach " in section[1]
    assert "`make compose`" in section[1]
