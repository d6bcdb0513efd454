"""Jobs: which there are, and that a name changes exactly when what would run does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Document = dict[str, Any]
Render = Callable[..., list[Document]]

ALWAYS = {
    "postgres-provision",
    "redis-provision",
    "course-provision",
    "user-migrate",
    "course-migrate",
    "notification-migrate",
    "user-seed",
}
SERVICES = ("user", "course", "notification")


def jobs(objects: list[Document], release: str = "academy") -> dict[str, str]:
    """The hash of each Job by its name without release and hash."""
    names = [each["metadata"]["name"] for each in objects if each["kind"] == "Job"]
    found = [re.fullmatch(rf"{release}-(.+)-([0-9a-f]{{8}})", name) for name in names]
    return {match[1]: match[2] for match in found if match}


def changed(render: Render, *sets: str) -> set[str]:
    before, after = jobs(render("minimal")), jobs(render("minimal", *sets))
    return {name for name in before if before[name] != after.get(name)}


def test_the_jobs_are_there_and_demo_data_only_when_asked_for(render: Render) -> None:
    assert jobs(render("minimal")).keys() == ALWAYS
    assert jobs(render("httproute")).keys() == {*ALWAYS, "course-seed"}


@pytest.mark.parametrize(
    ("setting", "renamed"),
    [
        ("global.images.user=registry.example/user-service:2", {"user-migrate", "user-seed"}),
        ("global.images.course=registry.example/course-service:2", {"course-migrate", "course-provision"}),
        ("global.images.postgres=registry.example/postgres:15", {"postgres-provision"}),
        ("global.databases.postgres.secretHash=aa", {"postgres-provision"}),
        ("global.databases.mongodb.secretHash=aa", {"course-provision"}),
        ("global.databases.redis.secretHash=aa", {"redis-provision"}),
        ("global.images.redis=registry.example/redis:8", {"redis-provision"}),
        ("seed.demo=true", {"user-seed"}),
        ("seed.demo=true,seed.learners=5", {"user-seed"}),
        ("user.replicas=5", set()),
        ("user.env.LOG_FORMAT=x", set()),
        ("route.host=academy.example", set()),
        ("global.auth.secretHash=aa", set()),
    ],
)
def test_a_job_is_renamed_exactly_when_it_would_run_something_else(
    render: Render, setting: str, renamed: set[str]
) -> None:
    assert changed(render, setting) == renamed


def test_jobs_are_kept_and_try_again(render: Render) -> None:
    for each in render("httproute"):
        if each["kind"] == "Job":
            assert "ttlSecondsAfterFinished" not in each["spec"]
            assert each["spec"]["backoffLimit"] == 6
            assert each["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_each_job_runs_its_command(render: Render) -> None:
    commands = {
        each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]: each["spec"]["template"]["spec"][
            "containers"
        ][0]["command"]
        for each in render("httproute")
        if each["kind"] == "Job"
    }
    assert commands == {
        "postgres-provision": ["sh", "/scripts/provision.sh", "/scripts/init.sql"],
        "redis-provision": ["sh", "/etc/redis-config/users.sh", "set"],
        "course-provision": ["python", "-m", "course_service.provision"],
        "user-migrate": ["python", "-m", "user_service.migrations", "upgrade"],
        "course-migrate": ["python", "-m", "course_service.migrations", "upgrade"],
        "notification-migrate": ["python", "-m", "notification_service.migrations", "upgrade"],
        "user-seed": ["python", "-m", "user_service.seed", "--demo"],
        "course-seed": ["python", "-m", "course_service.seed", "--demo"],
    }


def test_schemas_are_contracted_of_the_services_that_are_named(render: Render) -> None:
    assert jobs(render("contract")).keys() == ALWAYS | {f"{name}-contract" for name in SERVICES}
    assert jobs(render("minimal", "global.contract={course}")).keys() == {*ALWAYS, "course-contract"}
    assert changed(render, "global.contract={user,course,notification}") == set()
    for each in render("contract"):
        if each["metadata"]["labels"]["smartcourse.io/phase"] == "contract":
            name = each["metadata"]["labels"]["app.kubernetes.io/component"]
            pod = each["spec"]["template"]["spec"]
            assert [one["command"] for one in pod["containers"]] == [
                ["python", "-m", f"{name}_service.migrations", "contract"]
            ]
            assert [one["name"] for one in pod["initContainers"]] == ["wait-for-schema"]


@pytest.mark.parametrize("setting", ["global.images.user=registry.example/user-service:2", "global.restored=again"])
def test_a_schema_is_contracted_anew_for_another_image_and_for_restored_data(render: Render, setting: str) -> None:
    before = jobs(render("minimal", "global.contract={user}"))["user-contract"]
    assert jobs(render("minimal", "global.contract={user}", setting))["user-contract"] != before


def test_load_data_is_one_setting_and_its_courses_wait_for_its_learners(render: Render) -> None:
    seeds = {
        each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]: each["spec"]["template"]["spec"]
        for each in render("minimal", "seed.demo=true,seed.courses=20,seed.learners=1000000")
        if each["kind"] == "Job" and each["metadata"]["labels"]["smartcourse.io/phase"] == "seed"
    }
    [people], [courses] = seeds["user-seed"]["containers"], seeds["course-seed"]["containers"]
    assert people["command"][2:] == ["user_service.seed", "--demo", "--learners", "1000000"]
    assert courses["command"][2:] == ["course_service.seed", "--demo", "--courses", "20", "--learners", "1000000"]
    waits = {one["name"]: one for one in seeds["course-seed"]["initContainers"]}
    [query] = [each["value"] for each in waits["wait-for-database"]["env"] if each["name"] == "WAIT_FOR"]
    assert "count(*) >= 1000000 FROM users" in query


def test_load_data_without_demo_is_refused(helm: Callable[..., Any], charts: Path) -> None:
    umbrella = charts / "smartcourse"
    values = umbrella / "ci" / "minimal-values.yaml"
    done = helm("template", "academy", str(umbrella), "-f", str(values), "--set", "seed.courses=20")
    assert done.returncode != 0
    assert "seed" in done.stderr


def test_provisioning_is_told_whose_the_database_is(render: Render) -> None:
    (job,) = (
        each
        for each in render("minimal")
        if each["kind"] == "Job" and "-postgres-provision-" in each["metadata"]["name"]
    )
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {"name": "SMARTCOURSE_HOLDER", "value": "smartcourse/academy"} in container["env"]
