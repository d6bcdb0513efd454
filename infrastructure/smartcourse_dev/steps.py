"""Steps, what each waits for, and running them: independent ones at the same time, each lane's one after the other."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from smartcourse_dev.shell import Log, StepError

PARALLEL = 6


def never() -> bool:
    """For a step that is cheap and idempotent: do it each time."""
    return False


@dataclass(frozen=True)
class Step:
    """One thing to bring about.

    Attributes:
        action: does it; raises StepError when it can't. Being done twice must do no harm.
        is_done: whether it needs doing at all. Outputs are named by the hash of their inputs, so this is a look at
            what exists; it is asked only once everything in `after` is done.
        lane: steps of one lane never run at the same time (Go builds share the processors badly).
        remedy: what to do when it fails, where the error itself doesn't say.
    """

    name: str
    action: Callable[[Log], None]
    after: Sequence[str] = ()
    is_done: Callable[[], bool] = never
    lane: str = ""
    remedy: str = ""


def closure(steps: Iterable[Step], names: Iterable[str]) -> list[Step]:
    """Return the steps of these names and all that they wait for, in the order of `steps`.

    Raises:
        ValueError: there is no step of one of the names.
    """
    listed = list(steps)
    wanted = set(names)
    if unknown := wanted - {step.name for step in listed}:
        raise ValueError(f"there is no step {', '.join(sorted(unknown))}")
    for step in reversed(listed):  # what a step waits for is listed before it
        if step.name in wanted:
            wanted.update(step.after)
    return [step for step in listed if step.name in wanted]


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    PRESENT = "present"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass
class Progress:
    """How far a step is."""

    step: Step
    log: Log
    state: State = State.WAITING
    started: float = 0.0
    ended: float = 0.0
    error: Exception | None = None

    @property
    def elapsed_seconds(self) -> float:
        return (self.ended or time.monotonic()) - self.started if self.started else 0.0


class Reporter(Protocol):
    """Is told of every change of a step's state."""

    def changed(self, progress: Progress) -> None: ...

    def told(self, progress: Progress, text: str) -> None: ...


@dataclass
class Runner:
    """Runs steps in the order that `after` demands; when one fails, the running ones end and no other starts.

    At most `parallel` run at the same time.

    An interrupt ends the running ones at their next wait.

    Raises:
        ValueError: two steps have one name, or a step waits for one that does not exist or waits for it.
    """

    steps: Sequence[Step]
    logs: Path
    reporter: Reporter
    parallel: int = PARALLEL
    progress: dict[str, Progress] = field(init=False)

    def __post_init__(self) -> None:
        known: set[str] = set()
        for step in self.steps:
            missing = set(step.after) - known
            if missing or step.name in known:
                raise ValueError(f"step {step.name!r} is listed twice or before {sorted(missing)}, which it waits for")
            known.add(step.name)
        self.progress = {step.name: Progress(step, Log(self._log_path(step))) for step in self.steps}

    def _log_path(self, step: Step) -> Path:
        return self.logs / f"{step.name.replace(' ', '-').replace('/', '-')}.log"

    def run(self) -> bool:
        """Return whether every step is done."""
        with ThreadPoolExecutor(max_workers=self.parallel) as pool:
            try:
                self._follow(pool)
            except KeyboardInterrupt:
                self._interrupt(pool)
                raise
        self._skip_the_rest()
        return all(progress.state in {State.DONE, State.PRESENT} for progress in self.progress.values())

    def _follow(self, pool: ThreadPoolExecutor) -> None:
        running: dict[Future[None], Progress] = {}
        while True:
            for progress in self._startable():
                progress.started = time.monotonic()
                running[pool.submit(self._perform, progress)] = progress
            if not running:
                return
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                del running[future]

    def _interrupt(self, pool: ThreadPoolExecutor) -> None:
        """Have the running steps end soon: the pool waits for them."""
        pool.shutdown(wait=False, cancel_futures=True)
        for progress in self.progress.values():
            progress.log.interrupt()

    def _startable(self) -> list[Progress]:
        everything = self.progress.values()
        if any(progress.state is State.FAILED for progress in everything):
            return []
        running = [progress for progress in everything if progress.state is State.RUNNING]
        lanes = {progress.step.lane for progress in running}
        chosen: list[Progress] = []
        for progress in everything:
            if len(running) + len(chosen) == self.parallel:
                break
            lane = progress.step.lane
            if progress.state is State.WAITING and self._is_ready(progress) and not (lane and lane in lanes):
                progress.state = State.RUNNING
                chosen.append(progress)
                lanes.add(lane)
        return chosen

    def _is_ready(self, progress: Progress) -> bool:
        return all(self.progress[name].state in {State.DONE, State.PRESENT} for name in progress.step.after)

    def _perform(self, progress: Progress) -> None:
        try:
            if progress.step.is_done():
                self._end(progress, State.PRESENT)
                return
            self.reporter.changed(progress)
            progress.log.listener = functools.partial(self.reporter.told, progress)
            progress.step.action(progress.log)
        except Exception as error:  # noqa: BLE001 - whatever a step raises is that step's failure, told at the end
            progress.error = error
            progress.log.write(f"{type(error).__name__}: {error}")
            self._end(progress, State.FAILED)
        else:
            self._end(progress, State.DONE)

    def _end(self, progress: Progress, state: State) -> None:
        progress.ended = time.monotonic()
        progress.state = state
        self.reporter.changed(progress)

    def _skip_the_rest(self) -> None:
        for progress in self.progress.values():
            if progress.state is State.WAITING:
                progress.state = State.SKIPPED

    def failures(self) -> list[str]:
        """Return, for every failed step, what failed, the log's end and path, and what to do."""
        return [explain(progress) for progress in self.progress.values() if progress.state is State.FAILED]


def explain(progress: Progress) -> str:
    remedy = progress.step.remedy
    if isinstance(progress.error, StepError) and progress.error.remedy:
        remedy = progress.error.remedy
    told = [f'Step "{progress.step.name}" failed after {progress.elapsed_seconds:.0f} s: {progress.error}']
    told += [f"  Its log: {progress.log.path}; its last lines:", *[f"    {line}" for line in progress.log.tail()]]
    told.append(f"  What to do: {remedy or 'read the log, put right what it names'};")
    told.append("  then run the same command again: it continues where it stopped.")
    return "\n".join(told)
