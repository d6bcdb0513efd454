"""`upgrade` against a real API server, with an operator that does what it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .conftest import Plugin, World, condition

RELEASES = [{"version": "1.0.0"}, {"version": "1.1.0", "upgradeFrom": ["1.0.0"]},
            {"version": "1.2.0", "upgradeFrom": ["1.1.0"]}, {"version": "3.0.0", "upgradeFrom": ["2.0.0"]}]  # fmt: skip


@pytest.fixture
def releases(world: World) -> None:
    world.smart_course()
    world.patch_status("academy", {"releases": RELEASES})


@contextmanager
def operator(world: World, *, refuses: bool = False) -> Iterator[list[str]]:
    """Run what is asked for, or refuse it; yields the versions that were run."""
    ran: list[str] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            found = world.get()
            generation, wanted = found["metadata"]["generation"], found["spec"].get("version")
            if found["status"]["observedGeneration"] == generation or not wanted:
                continue
            if refuses:
                told = condition("Degraded", "True", "UpgradeRefused", f"spec.version {wanted} cannot follow")
                world.patch_status("academy", {"observedGeneration": generation, "conditions": [told]})
                continue
            ran.append(wanted)
            time.sleep(0.2)
            world.patch_status("academy", {"observedGeneration": generation, "version": wanted})

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield ran
    finally:
        stop.set()
        thread.join()


@pytest.mark.usefixtures("releases")
def test_a_check_shows_the_way_and_changes_nothing(world: World, plugin: Plugin) -> None:
    done = plugin("upgrade", "1.2.0", "--check")
    assert (done.code, done.out) == (0, "1.0.0 → 1.1.0 → 1.2.0: 2 steps, one after the other.\n")
    assert json.loads(plugin("upgrade", "1.1.0", "--check", "-o", "json").out) == {
        "from": "1.0.0", "to": "1.1.0", "steps": ["1.1.0"], "refusal": "",
    }  # fmt: skip
    assert world.get()["metadata"]["generation"] == 1


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize(
    ("version", "told"),
    [("9.9.9", "The operator has no release 9.9.9; it has 1.0.0, 1.1.0, 1.2.0, 3.0.0."),
     ("3.0.0", "3.0.0 cannot follow 1.0.0, not even by others; what can: 1.1.0, 1.2.0.")],
)  # fmt: skip
def test_what_is_refused_is_told_with_what_is_not(world: World, plugin: Plugin, version: str, told: str) -> None:
    done = plugin("upgrade", version, "--check")
    assert (done.code, done.out) == (1, told + "\n")
    assert plugin("upgrade", version).code == 1
    assert "version" not in world.get()["spec"]


@pytest.mark.usefixtures("releases")
def test_an_upgrade_is_asked_for_and_awaited(world: World, plugin: Plugin) -> None:
    with operator(world) as ran:
        done = plugin("upgrade", "1.2.0", "--timeout", "60")
    assert done.code == 0, done.err
    assert ran == ["1.2.0"], "the operator goes release by release"
    assert "academy runs 1.2.0" in done.err
    assert plugin("upgrade", "1.2.0").out == "1.2.0 runs already.\n"


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize(("phase", "version"), [("expanding", "1.0.0"), ("rollingOut", "1.0.0"), ("soaking", "1.1.0")])
def test_one_can_go_back_while_the_schema_allows_it(world: World, plugin: Plugin, phase: str, version: str) -> None:
    under_way = {"from": "1.0.0", "to": "1.1.0", "phase": phase, "startedAt": "2026-01-02T03:04:05Z"}
    world.patch_status("academy", {"version": version, "upgrade": under_way})
    already = "runs already" if version == "1.1.0" else "is on its way already"
    assert plugin("upgrade", "1.1.0", "--check").out == f"1.1.0 {already}.\n"
    told = plugin("upgrade", "1.0.0", "--check")
    assert (told.code, told.out) == (0, "1.1.0 → 1.0.0: a step back, which the schema still allows.\n")
    assert plugin("upgrade", "1.0.0", "--no-wait").code == 0
    assert world.get()["spec"]["version"] == "1.0.0"
    world.patch_status(
        "academy", {"upgrade": {**under_way, "phase": "completed", "contracted": True}, "version": "1.1.0"}
    )
    assert plugin("upgrade", "1.0.0", "--check").code == 1


@pytest.mark.usefixtures("releases")
def test_what_the_operator_refuses_ends_the_waiting_with_its_words(world: World, plugin: Plugin) -> None:
    with operator(world, refuses=True):
        done = plugin("upgrade", "1.1.0", "--timeout", "30")
    assert done.code == 1
    assert "spec.version 1.1.0 cannot follow" in done.err


def test_an_operator_that_does_not_tell_its_releases_is_named(world: World, plugin: Plugin) -> None:
    world.smart_course()
    done = plugin("upgrade", "--check")
    assert done.code == 3
    assert "has no status.releases" in done.err
