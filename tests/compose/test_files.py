"""What the three Compose files say, without starting anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smartcourse_dev import env

from ..checkout import ROOT
from .stack import FILES, ONCE, Stack, compose

REQUIRED = sorted(set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text())))
GUIDES_PORTS = {
    "api-gateway": 8000,
    "user-service": 8001,
    "course-service": 8002,
    "notification-service": 8005,
    "postgres": 5432,
    "mongodb": 27017,
    "redis": 6379,
}


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_secret_stops_compose_and_says_which_and_what_to_do(complete: Path, name: str) -> None:
    dotenv = complete / ".env"
    dotenv.write_text(re.sub(rf"^{name}=.*$", f"{name}=", dotenv.read_text(), flags=re.MULTILINE))
    done = compose(complete, "up", "--detach")
    assert done.returncode != 0
    assert f"required variable {name} is missing a value: run `make env`" in done.stderr


def test_the_example_taken_as_it_is_starts_nothing(complete: Path) -> None:
    (complete / ".env").write_text((ROOT / ".env.example").read_text())
    assert "run `make env`" in compose(complete, "up", "--detach").stderr


def test_every_secret_that_compose_demands_is_one_that_make_env_generates() -> None:
    assert set(REQUIRED) <= env.SECRETS.keys()
    defaulted = re.findall(r"\$\{(\w+):-[^}]", "".join((ROOT / file).read_text() for file in FILES["dev"]))
    assert not set(defaulted) & env.SECRETS.keys()


def test_every_variable_that_compose_reads_is_in_the_example() -> None:
    texts = [(ROOT / file).read_text() for file in sorted({file for files in FILES.values() for file in files})]
    assert len(texts) == 3
    read = {name for text in texts for name in re.findall(r"(?<!\$)\$\{(\w+)", text)} - {"COMPOSE_PROJECT_NAME"}
    explained = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert read - explained == set(), "add them to .env.example"


def test_the_example_tells_secrets_that_are_demanded_from_those_that_are_not() -> None:
    secrets = (ROOT / ".env.example").read_text().partition("---- secrets:")[2].partition("\n# ----")[0]
    assert "but the last" in secrets.splitlines()[0]
    *demanded, optional = re.findall(r"^([A-Z][A-Z0-9_]*)=$", secrets, re.MULTILINE)
    assert sorted(demanded) == REQUIRED
    assert optional == "VAPID_PRIVATE_KEY"


def test_services_names_and_ports_are_the_guides(stack: Stack) -> None:
    services = stack.config()
    for name, port in GUIDES_PORTS.items():
        assert services[name]["container_name"] == f"{stack.project}-{name}"
        assert [each["target"] for each in services[name]["ports"]] == [port]
        assert "healthcheck" in services[name]


@pytest.mark.parametrize("files", FILES)
def test_ports_are_published_on_loopback_only(stack: Stack, files: str) -> None:
    published = [port for each in stack.config(files).values() for port in each.get("ports", [])]
    assert published
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


@pytest.mark.parametrize("files", FILES)
def test_no_container_may_more_than_its_work_needs(stack: Stack, files: str) -> None:
    for name, service in stack.config(files).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        mounts = [each for each in service.get("volumes", []) if each["type"] == "bind"]
        assert all(each["read_only"] for each in mounts), name


def test_production_publishes_the_gateway_alone(stack: Stack) -> None:
    assert [name for name, service in stack.config("prod").items() if service.get("ports")] == ["api-gateway"]


def test_production_limits_everything_and_brings_servers_back(stack: Stack) -> None:
    for name, service in stack.config("prod").items():
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory", "pids"} <= limits.keys(), name
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name


def test_production_runs_what_the_images_hold(stack: Stack) -> None:
    for name, service in stack.config("prod").items():
        mounted = {each["source"] for each in service.get("volumes", []) if each["type"] == "bind"}
        assert all("/infrastructure/" in source for source in mounted), name


def test_development_serves_the_sources_of_the_checkout(stack: Stack) -> None:
    services = stack.config("dev")
    for name in ("user-service", "course-service", "notification-service"):
        mounts = {each["target"]: Path(each["source"]) for each in services[name]["volumes"]}
        package = name.replace("-", "_")
        assert (mounts["/app/src"] / package / "main.py").exists()
        assert (mounts["/app/shared"] / "app.py").exists()
        assert services[name]["command"][:2] == ["uvicorn", f"{package}.main:app"]
        assert "--reload" in services[name]["command"]
    assert services["notification-service"]["environment"]["SMTP_URL"] == "smtp://mailbox:1025"


def test_mongodbs_script_makes_the_user_that_the_service_provisions(stack: Stack) -> None:
    script = (ROOT / "infrastructure/mongodb/init.js").read_text()
    provision = (ROOT / "services/course-service/src/course_service/provision/__init__.py").read_text()
    database = (ROOT / "services/course-service/src/course_service/core/mongodb.py").read_text()
    [user], [mechanism] = re.findall(r'user: "(\w+)"', script), re.findall(r'mechanisms: \["([\w-]+)"\]', script)
    [(role, where)] = re.findall(r'\{"role": "(\w+)", "db": "(\w+)"\}', script)
    assert f'USER = "{user}"' in provision
    assert f'ROLES = [{{"role": "{role}", "db": DATABASE}}]' in provision
    assert f'MECHANISMS = ["{mechanism}"]' in provision
    assert re.search(rf'^DATABASE\b.* = "{where}"$', database, re.MULTILINE)
