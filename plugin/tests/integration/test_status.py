"""`status` against a real API server."""

from __future__ import annotations

import json

from .conftest import SINCE, Plugin, World


def test_a_ready_one_is_shown_with_its_pods_and_exits_zero(world: World, plugin: Plugin) -> None:
    world.smart_course()
    world.pod("user")
    done = plugin("status", "academy")
    assert done.code == 0, done.err
    for shown in ("academy", "Ready", "http://localhost:8080", "1.0.0", "academy-user-1", "1/1", "2 restarts",
                  "user-service:1.0.0"):  # fmt: skip
        assert shown in done.out


def test_what_is_not_ready_says_what_it_waits_for_and_exits_one(world: World, plugin: Plugin) -> None:
    world.smart_course(ready=False)
    world.pod("user", waiting="ImagePullBackOff")
    done = plugin("status")
    assert done.code == 1
    assert "Degraded" in done.out
    assert "Deployment academy-user: pod academy-user-1: no such image" in done.out
    assert "academy-user-1: ImagePullBackOff: no such image" in done.out


def test_a_change_that_the_operator_has_not_taken_up_is_not_ready(world: World, plugin: Plugin) -> None:
    world.smart_course()
    assert plugin("pause", "--no-wait").code == 0
    done = plugin("status", "academy", "-o", "json")
    assert done.code == 1
    assert "generation 2, it has seen 1" in json.loads(done.out)["waitsFor"]


def test_json_is_for_programs(world: World, plugin: Plugin) -> None:
    world.smart_course()
    world.pod("gateway")
    one = json.loads(plugin("status", "academy", "-o", "json").out)
    assert (one["name"], one["ready"], one["version"]["running"]) == ("academy", True, "1.0.0")
    assert one["conditions"][0]["since"] == "2026-01-02T03:04:05Z"
    assert one["pods"][0]["images"] == ["gateway-service:1.0.0"]
    assert [item["name"] for item in json.loads(plugin("status", "-o", "json").out)["items"]] == ["academy"]


def test_what_hibernates_and_what_is_rotated_is_shown(world: World, plugin: Plugin) -> None:
    world.smart_course(ready=False, spec={"hibernated": True})
    rotated = {"secret": "jwt", "phase": "retained", "message": "tokens of the old one live", "startedAt": SINCE}
    world.patch_status("academy", {"phase": "hibernated", "rotations": [rotated]})
    done = plugin("status", "academy")
    assert done.code == 1
    assert done.out.startswith("academy  Hibernated")
    for shown in ("Rotations", "jwt", "retained", "tokens of the old one live"):
        assert shown in done.out
    told = json.loads(plugin("status", "academy", "-o", "json").out)
    assert (told["hibernated"], told["rotations"][0]["started"]) == (True, SINCE)


def test_several_are_a_table_and_each_has_to_be_ready(world: World, plugin: Plugin) -> None:
    world.smart_course()
    world.smart_course("school", ready=False)
    done = plugin("status")
    assert done.code == 1
    header, first, second = done.out.splitlines()
    assert header.split()[:3] == ["NAMESPACE", "NAME", "STATE"]
    assert first.split()[1:3] == ["academy", "Ready"]
    assert second.split()[1:3] == ["school", "Degraded"]


def test_an_unknown_name_is_told_with_those_that_exist(world: World, plugin: Plugin) -> None:
    world.smart_course()
    done = plugin("status", "academie")
    assert done.code == 3
    assert done.err == (
        f"error: There is no SmartCourse academie in namespace {world.namespace}.\nThere are: academy.\n"
    )


def test_an_empty_namespace_says_where_there_are_some(world: World, plugin: Plugin) -> None:
    world.smart_course()
    done = plugin("status", namespace="default")
    assert done.code == 3
    assert f"academy (-n {world.namespace})" in done.err


def test_a_command_that_needs_a_name_says_so_when_there_are_several(world: World, plugin: Plugin) -> None:
    world.smart_course()
    world.smart_course("school")
    done = plugin("pause")
    assert done.code == 3
    assert "several SmartCourses: academy, school" in done.err
