"""The commands of the services' READMEs, followed word for word; only ports are others."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from ..e2e.people import Platform, problem
from .conftest import SERVICES, ByHand
from .readme import commands

pytestmark = pytest.mark.timeout(1800)  # the first case waits for four installations

RELOAD_SECONDS = 60
GUIDES_COMMANDS = """\
cd services/{name}
python -m venv venv
source venv/bin/activate  # macOS/Linux
pip install -e .
pip install -e ../../shared
uvicorn {package}.main:app --reload --port {port}
"""


@pytest.mark.parametrize("name", SERVICES)
def test_the_guides_commands_are_all_there_and_in_its_order(by_hand: ByHand, name: str) -> None:
    readme = commands((by_hand.root / "services" / name / "README.md").read_text()).splitlines()
    wanted = GUIDES_COMMANDS.format(name=name, package=name.replace("-", "_"), port=SERVICES[name][1]).splitlines()
    assert [line for line in readme if line in wanted] == wanted
    assert all(re.match(r"export |source |#|python -m |$", line) for line in readme if line not in wanted)


@pytest.mark.parametrize("name", [*SERVICES, "api-gateway"])
def test_a_service_has_an_environment_of_its_own(by_hand: ByHand, name: str) -> None:
    assert (by_hand.root / "services" / name / "venv/bin/activate").exists()


def test_services_run_by_hand_make_the_whole_platform(by_hand: ByHand) -> None:
    admin = {"email": by_hand.env["ADMIN_EMAIL"], "password": by_hand.env["ADMIN_PASSWORD"]}
    with httpx.Client(base_url=by_hand.url("GATEWAY_PORT"), timeout=30) as client:
        assert client.get("/health").json()["services"] == dict.fromkeys(("user", "course", "notification"), "up")
        problem(client.get("/api/auth/me"), 401)
        platform = Platform(client, admin=admin)
        instructor = platform.new_instructor(platform.log_in(admin["email"], admin["password"]))
        assert platform.author_course(instructor)["status"] == "published"


def test_a_browser_is_given_the_key_that_dotenv_has(by_hand: ByHand) -> None:
    with httpx.Client(base_url=by_hand.url("GATEWAY_PORT"), timeout=30) as client:
        person = Platform(client, admin={}).new_student()
        assert person.get("/api/notifications/push/key").status_code == 200


def test_the_gateways_health_and_metrics_are_on_the_port_that_it_is_told(by_hand: ByHand) -> None:
    place = f"http://127.0.0.1:{by_hand.metrics_port}"
    assert httpx.get(f"{place}/health/ready", timeout=10).status_code == 200
    assert "smartcourse_" in httpx.get(f"{place}/metrics", timeout=10).text


@pytest.mark.parametrize("name", SERVICES)
def test_an_edit_is_served_without_a_restart(by_hand: ByHand, name: str) -> None:
    health = f"{by_hand.url(SERVICES[name][0])}/health"
    assert service_at(health) == name
    config = by_hand.root / "services" / name / "src" / name.replace("-", "_") / "config.py"
    text = config.read_text()
    assert f'service_name: str = "{name}"' in text
    config.write_text(text.replace(f'service_name: str = "{name}"', 'service_name: str = "edited"'))

    deadline = time.monotonic() + RELOAD_SECONDS
    while service_at(health) != "edited":
        assert time.monotonic() < deadline, "the edit was not served"
        time.sleep(0.3)


def service_at(url: str) -> str:
    """Return the name that a service gives itself, "" while it restarts."""
    try:
        return str(httpx.get(url, timeout=5).json()["service"])
    except httpx.HTTPError:
        return ""
