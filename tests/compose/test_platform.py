"""The platform that `docker compose up` brings up, by its public port and by what Docker says of it."""

from __future__ import annotations

import time

import asyncpg
import httpx
import pytest

from ..e2e.people import Person, Platform, problem
from .stack import ONCE, Stack

RELOAD_SECONDS = 60
SERVICE_PORTS = ("USER_SERVICE_PORT", "COURSE_SERVICE_PORT", "NOTIFICATION_SERVICE_PORT")


def test_servers_are_healthy_and_each_preparation_ended_well(running: Stack) -> None:
    for name, container in running.containers().items():
        state = container["State"]
        if name in ONCE:
            assert (state["Status"], state["ExitCode"]) == ("exited", 0), name
        else:
            assert state["Health"]["Status"] == "healthy", name


def test_health_names_every_service(platform: Platform) -> None:
    answer = platform.client.get("/health")
    assert answer.status_code == 200
    assert answer.json()["services"] == dict.fromkeys(("user", "course", "notification"), "up")


def test_a_registered_person_logs_in_and_sees_their_account(platform: Platform) -> None:
    problem(platform.client.get("/api/auth/me"), 401)
    person = platform.new_student()
    answer = person.get("/api/auth/me")
    assert answer.status_code == 200, answer.text
    assert answer.json()["email"] == person.email
    assert answer.json()["role"] == "student"


def test_a_registration_reaches_the_notifications_by_its_event(platform: Platform) -> None:
    person = platform.new_student()
    deadline = time.monotonic() + 30
    while not (items := person.get("/api/notifications").json()["items"]):
        assert time.monotonic() < deadline, "no notification came"
        time.sleep(0.2)
    assert items[0]["is_read"] is False


@pytest.mark.parametrize("port", SERVICE_PORTS)
def test_a_service_answers_nobody_who_comes_past_the_gateway(running: Stack, port: str) -> None:
    assert httpx.get(f"{running.url(port)}/health").status_code == 200
    past = {"X-User-ID": "1", "X-User-Role": "admin"}
    path = {"USER_SERVICE_PORT": "/api/users", "COURSE_SERVICE_PORT": "/api/courses"}.get(port, "/api/notifications")
    assert httpx.get(f"{running.url(port)}{path}", headers=past).status_code in {401, 403}


async def test_a_service_run_by_hand_reaches_postgresql_through_the_published_port(running: Stack) -> None:
    place = {"host": "127.0.0.1", "port": int(running.env["POSTGRES_PORT"]), "database": running.env["POSTGRES_DB"]}
    connection = await asyncpg.connect(user="user_a", password=running.env["USER_DB_PASSWORD"], **place, timeout=30)
    try:
        assert await connection.fetchval("SELECT count(*) FROM users") >= 1
    finally:
        await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(user="user_a", password="another", **place, timeout=30)


def test_processes_are_not_root_and_cannot_write_to_their_image(running: Stack) -> None:
    for name, container in running.containers().items():
        if container["State"]["Running"]:
            assert running.inside(name, "id", "-u").stdout.strip() not in {"0", ""}, name
            assert running.inside(name, "touch", "/written").returncode != 0, name


def test_no_secret_is_among_a_containers_arguments(running: Stack) -> None:
    secrets = [value for name, value in running.env.items() if name.endswith(("_PASSWORD", "_KEY")) and value]
    assert len(secrets) >= 9
    for name, container in running.containers().items():
        arguments = " ".join([container["Path"], *container["Args"]])
        assert not [secret for secret in secrets if secret in arguments], name


def test_what_is_stored_survives_down_and_up_also_into_production(
    running: Stack, platform: Platform, admin: Person
) -> None:
    instructor = platform.new_instructor(admin)
    course = platform.author_course(instructor)
    module = course["modules"][0]
    lesson = f"/api/courses/{course['id']}/modules/{module['id']}/lessons/{module['lessons'][0]['id']}"
    before = instructor.get(lesson)
    assert before.status_code == 200, before.text

    running.down()
    assert not running.exists()
    running.up("prod")

    again = platform.log_in(instructor.email, instructor.password)
    assert again.get(lesson).json() == before.json()
    assert running.published_ports() == {running.env["GATEWAY_PORT"]}


def test_in_development_a_mail_lies_in_the_mailbox_instead_of_being_sent(developing: Stack, platform: Platform) -> None:
    person = platform.new_student()
    mailbox = f"{developing.url('MAILBOX_PORT')}/api/messages"
    deadline = time.monotonic() + 60
    while httpx.get(mailbox, params={"to": person.email}).json()["total"] != 1:
        assert time.monotonic() < deadline, f"no mail came: {developing.logs()}"
        time.sleep(0.3)


def test_in_development_an_edit_is_served_without_a_restart(developing: Stack) -> None:
    services = [f"{developing.url(port)}/health" for port in SERVICE_PORTS]
    assert [status_at(each) for each in services] == ["healthy"] * 3

    source = developing.checkout / "shared/shared/health.py"
    source.write_text(source.read_text().replace('"healthy"', '"edited"'))

    deadline = time.monotonic() + RELOAD_SECONDS
    while [status_at(each) for each in services] != ["edited"] * 3:
        assert time.monotonic() < deadline, "the edit was not served"
        time.sleep(0.3)


def status_at(url: str) -> str:
    """Return the status that a service gives itself, "" while it restarts."""
    try:
        return str(httpx.get(url, timeout=5).json()["status"])
    except httpx.HTTPError:
        return ""
