"""Commands that print a way in, or change something."""

from __future__ import annotations

import pytest

from smartcourse_operator.core import names

from .conftest import SECRETS, SINCE, Document, Plugin, World, condition


def test_the_password_is_all_that_is_printed(world: World, plugin: Plugin) -> None:
    world.smart_course()
    world.secrets()
    done = plugin("admin-password")
    assert (done.code, done.out, done.err) == (0, SECRETS["academy-admin"]["password"] + "\n", "")
    assert plugin("admin-password", "--email").out == SECRETS["academy-admin"]["email"] + "\n"


def test_a_missing_password_is_told_with_its_secret(world: World, plugin: Plugin) -> None:
    world.smart_course()
    done = plugin("admin-password")
    assert (done.code, done.out) == (3, "")
    assert f"The Secret academy-admin in namespace {world.namespace} is gone." in done.err


def test_the_url_is_printed_and_one_that_is_not_there_yet_explained(world: World, plugin: Plugin) -> None:
    world.smart_course()
    assert plugin("open").out == "http://localhost:8080\n"
    world.create(
        f"/apis/{names.API_VERSION}/smartcourses",
        {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": "young"}, "spec": {}},
    )
    done = plugin("open", "young")
    assert (done.code, done.out) == (1, "")
    assert "young has no URL yet" in done.err


def test_pause_and_resume_set_the_spec_and_say_when_it_was_so_already(world: World, plugin: Plugin) -> None:
    world.smart_course()
    assert "spec.paused is true\n" in plugin("pause", "--no-wait").err
    assert world.get()["spec"]["paused"] is True
    assert "it was so already" in plugin("pause", "--no-wait").err
    plugin("resume", "--no-wait")
    assert world.get()["spec"]["paused"] is False


def test_pause_waits_until_the_operator_says_so(world: World, plugin: Plugin) -> None:
    world.smart_course()

    paused = {"conditions": [condition("Paused", "True", "PausedBySpec", "spec.paused is true")]}
    thread = world.as_operator(lambda found: paused if found["spec"]["paused"] else None)
    done = plugin("pause", "--timeout", "30")
    thread.join()
    assert done.code == 0, done.err
    assert "academy is paused" in done.err


def test_hibernate_waits_until_nothing_runs_and_wake_until_it_is_ready(world: World, plugin: Plugin) -> None:
    world.smart_course()
    thread = world.as_operator(lambda found: {"phase": "hibernated"} if found["spec"]["hibernated"] else None)
    done = plugin("hibernate", "--timeout", "30")
    thread.join()
    assert done.code == 0, done.err
    assert "academy: spec.hibernated is true\n" in done.err
    assert "academy is hibernated; `kubectl smartcourse wake academy` wakes it" in done.err
    thread = world.as_operator(lambda found: None if found["spec"]["hibernated"] else {"phase": "ready"})
    done = plugin("wake", "--timeout", "30")
    thread.join()
    assert done.code == 0, done.err
    assert "academy is Ready" in done.err


@pytest.mark.parametrize("command", [["hibernate"], ["wake"], ["rotate", "jwt"]])
def test_nothing_is_asked_of_an_operator_that_leaves_it_alone(world: World, plugin: Plugin, command: list[str]) -> None:
    world.smart_course(spec={"paused": True})
    done = plugin(*command)
    assert done.code == 1
    assert "academy is paused" in done.err
    assert "kubectl smartcourse resume academy" in done.err
    assert world.get()["metadata"]["generation"] == 1


def rotation(secret: str, phase: str, request: str = "before") -> Document:
    return {"secret": secret, "phase": phase, "request": request, "message": f"it is {phase}", "startedAt": SINCE}


@pytest.mark.parametrize(
    ("what", "last"), [("identity", "completed"), ("jwt", "retained"), ("mongodb", "completed"), ("redis", "completed")]
)
def test_a_rotation_is_asked_for_and_waited_for(world: World, plugin: Plugin, what: str, last: str) -> None:
    world.smart_course()
    world.patch_status("academy", {"rotations": [rotation(what, "completed")]})

    def asked(found: Document) -> Document | None:
        request = (found["metadata"].get("annotations") or {}).get(f"smartcourse.io/rotate-{what}")
        return {"rotations": [rotation(what, last, request)]} if request else None

    thread = world.as_operator(asked)
    done = plugin("rotate", what, "--timeout", "30")
    thread.join()
    assert done.code == 0, done.err
    assert f"academy: a rotation of {what} is asked for\n" in done.err
    assert f"{what}: {last}: it is {last}" in done.err


def test_a_rotation_that_the_operator_refuses_ends_the_waiting_with_its_words(world: World, plugin: Plugin) -> None:
    world.smart_course()

    def asked(found: Document) -> Document | None:
        request = (found["metadata"].get("annotations") or {}).get("smartcourse.io/rotate-jwt")
        return {"rotations": [rotation("jwt", "refused", request)]} if request else None

    thread = world.as_operator(asked)
    done = plugin("rotate", "jwt", "--timeout", "30")
    thread.join()
    assert done.code == 1
    assert "error: jwt: refused: it is refused" in done.err


def test_a_rotation_that_could_not_begin_is_not_asked_for(world: World, plugin: Plugin) -> None:
    world.smart_course()
    world.patch_status("academy", {"rotations": [rotation("jwt", "retained")]})
    done = plugin("rotate", "jwt")
    assert done.code == 1
    assert "The last rotation of jwt is not over, it is retained: it is retained." in done.err
    assert plugin("hibernate", "--no-wait").code == 0
    done = plugin("rotate", "database")
    assert done.code == 1
    assert "academy is hibernated" in done.err
    assert "annotations" not in world.get()["metadata"]
    assert plugin("rotate", "everything").code == 2


def test_waiting_for_an_operator_that_is_away_ends_with_what_was_waited_for(world: World, plugin: Plugin) -> None:
    world.smart_course()
    done = plugin("pause", "--timeout", "1")
    assert done.code == 1
    assert "for the operator to pause academy" in done.err
    assert "generation 2, it has seen 1" in done.err


def test_restart_stamps_the_pods_template_as_kubectl_does(world: World, plugin: Plugin) -> None:
    world.smart_course()
    labels = {"app": "x"}
    world.create("/apis/apps/v1/deployments", {
        "metadata": {"name": "academy-user"},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "user", "image": "i"}]}}},
    })  # fmt: skip
    assert plugin("restart", "user", "--no-wait").code == 0
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/academy-user"
    template = world.plane.request("GET", path).json()["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    done = plugin("restart", "postgres")
    assert done.code == 3
    assert "no StatefulSet academy-postgres" in done.err
