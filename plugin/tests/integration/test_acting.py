"""Commands that print a way in, or change something."""

from __future__ import annotations

import threading
import time

from smartcourse_operator.core import names

from .conftest import SECRETS, Plugin, World, condition


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

    def operator() -> None:
        while not world.get()["spec"].get("paused"):
            time.sleep(0.05)
        found = world.get()
        status = {"observedGeneration": found["metadata"]["generation"],
                  "conditions": [condition("Paused", "True", "PausedBySpec", "spec.paused is true")]}  # fmt: skip
        world.patch_status("academy", status)

    thread = threading.Thread(target=operator)
    thread.start()
    done = plugin("pause", "--timeout", "30")
    thread.join()
    assert done.code == 0, done.err
    assert "academy is paused" in done.err


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
