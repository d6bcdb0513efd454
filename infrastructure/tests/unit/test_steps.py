"""The step engine: order, lanes, what a failure does, and what it says."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from smartcourse_dev.shell import Log, StepError
from smartcourse_dev.steps import Progress, Runner, State, Step, closure


class Recorder:
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, State]] = []
        self.texts: list[str] = []

    def changed(self, progress: Progress) -> None:
        self.seen.append((progress.step.name, progress.state))

    def told(self, progress: Progress, text: str) -> None:
        self.texts.append(f"{progress.step.name}: {text}")


def nothing(_: Log) -> None:
    pass


def failing(_: Log) -> None:
    raise StepError("the disk is full", remedy="make room")


def runner(tmp_path: Path, *steps: Step) -> tuple[Runner, Recorder]:
    recorder = Recorder()
    return Runner(steps, tmp_path, recorder), recorder


def appending(order: list[str], name: str) -> Callable[[Log], None]:
    return lambda _: order.append(name)


def test_a_step_starts_only_when_all_it_waits_for_is_done(tmp_path: Path) -> None:
    order: list[str] = []
    steps = [
        Step("base", appending(order, "base")),
        Step("left", appending(order, "left"), after=["base"]),
        Step("right", appending(order, "right"), after=["base"]),
        Step("top", appending(order, "top"), after=["left", "right"]),
    ]
    assert runner(tmp_path, *steps)[0].run()
    assert order[0] == "base"
    assert set(order[1:3]) == {"left", "right"}
    assert order[3] == "top"


def test_independent_steps_run_at_the_same_time(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=5)
    steps = [Step(name, lambda _: meeting.wait() and None) for name in ("one", "other")]
    assert runner(tmp_path, *steps)[0].run()


def test_steps_of_one_lane_never_run_at_the_same_time(tmp_path: Path) -> None:
    busy = threading.Lock()

    def alone(_: Log) -> None:
        assert busy.acquire(blocking=False)
        threading.Event().wait(0.05)
        busy.release()

    assert runner(tmp_path, *[Step(str(number), alone, lane="go") for number in range(4)])[0].run()


def test_no_more_steps_than_allowed_run_at_the_same_time(tmp_path: Path) -> None:
    running: list[str] = []
    most: list[int] = []

    def action(name: str) -> Callable[[Log], None]:
        def run(_: Log) -> None:
            running.append(name)
            time.sleep(0.05)
            most.append(len(running))
            running.remove(name)

        return run

    steps = [Step(name, action(name)) for name in "abcdef"]
    assert Runner(steps, tmp_path, Recorder(), parallel=2).run()
    assert max(most) == 2


def test_a_failure_stops_what_depends_on_it_and_names_the_cure(tmp_path: Path) -> None:
    order: list[str] = []
    steps = [Step("broken", failing), Step("dependent", appending(order, "dependent"), after=["broken"])]
    run, _ = runner(tmp_path, *steps)
    assert not run.run()
    assert order == []
    assert run.progress["dependent"].state is State.SKIPPED
    (told,) = run.failures()
    assert "broken" in told
    assert "the disk is full" in told
    assert "make room" in told
    assert str(tmp_path / "broken.log") in told


def test_running_again_after_a_failure_does_only_what_is_left(tmp_path: Path) -> None:
    done: set[str] = set()
    attempts: list[str] = []

    def action(name: str, *, works: bool) -> Callable[[Log], None]:
        def act(_: Log) -> None:
            attempts.append(name)
            if not works:
                raise StepError("not yet")
            done.add(name)

        return act

    def steps(*, works: bool) -> list[Step]:
        return [
            Step("first", action("first", works=True), is_done=lambda: "first" in done),
            Step("second", action("second", works=works), after=["first"], is_done=lambda: "second" in done),
        ]

    assert not runner(tmp_path, *steps(works=False))[0].run()
    assert runner(tmp_path, *steps(works=True))[0].run()
    assert attempts == ["first", "second", "second"]


def test_whether_a_step_is_done_is_asked_only_after_what_it_waits_for(tmp_path: Path) -> None:
    made: list[str] = []
    steps = [
        Step("image", appending(made, "image")),
        Step("push", nothing, after=["image"], is_done=lambda: made == ["image"]),
    ]
    run, _ = runner(tmp_path, *steps)
    assert run.run()
    assert run.progress["push"].state is State.PRESENT


def test_the_end_of_a_failed_programs_output_is_shown(tmp_path: Path) -> None:
    run, _ = runner(tmp_path, Step("build", lambda log: log.run("sh", "-c", "echo no such file; exit 3")))
    assert not run.run()
    (told,) = run.failures()
    assert "no such file" in told
    assert "exit code 3" in told


def test_what_a_step_tells_reaches_the_reporter(tmp_path: Path) -> None:
    run, recorder = runner(tmp_path, Step("wait", lambda log: log.tell("migrations")))
    assert run.run()
    assert recorder.texts == ["wait: migrations"]


INTERRUPTED = """
import os, signal, sys, threading
from pathlib import Path
from smartcourse_dev.steps import Runner, Step

class Silent:
    def changed(self, progress): pass
    def told(self, progress, text): pass

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
begun = threading.Barrier(2)

def waits(log):
    begun.wait()
    while True:
        log.wait(3600)

def runs(log):
    begun.wait()
    os.kill(os.getpid(), signal.SIGINT)  # to this process alone: the program doesn't hear of it
    log.run("sleep", "3600")

Runner([Step("waits", waits), Step("runs", runs)], Path(sys.argv[1]), Silent()).run()
"""


def test_an_interrupt_ends_what_waits_and_what_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "KeyboardInterrupt" in done.stderr


@pytest.mark.parametrize(
    "steps",
    [
        [Step("a", nothing), Step("a", nothing)],
        [Step("a", nothing, after=["nowhere"])],
        [Step("a", nothing, after=["b"]), Step("b", nothing, after=["a"])],
    ],
    ids=["twice", "unknown", "circle"],
)
def test_a_plan_that_can_not_be_followed_is_refused(tmp_path: Path, steps: list[Step]) -> None:
    with pytest.raises(ValueError, match="listed twice or before"):
        runner(tmp_path, *steps)


def test_a_closure_is_what_was_asked_for_with_all_that_it_waits_for() -> None:
    steps = [
        Step("base", nothing),
        Step("other", nothing),
        Step("middle", nothing, after=["base"]),
        Step("top", nothing, after=["middle"]),
    ]
    assert [each.name for each in closure(steps, ["middle"])] == ["base", "middle"]
    assert [each.name for each in closure(steps, ["top", "other"])] == ["base", "other", "middle", "top"]


def test_a_closure_of_a_step_that_does_not_exist_names_it() -> None:
    with pytest.raises(ValueError, match="there is no step missing"):
        closure([Step("base", nothing)], ["missing"])
