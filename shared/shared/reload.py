"""Run a command from a writable copy of an image's code, and start it anew whenever that copy is edited.

    python -m shared.reload granian --interface asgi … user_service.main:app

For development alone: charts put it before a container's command with `reload: true`, and Skaffold and Tilt copy edited
files to `/tmp/app`, the only place that a container may write to. The image itself is that of production.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import NoReturn

IMAGE = Path("/app")
COPY = Path("/tmp/app")  # noqa: S108 - a volume of the pod's own
POLL_SECONDS = 0.3
STOP_TIMEOUT_SECONDS = 10

State = dict[str, tuple[int, int]]


def prepare(image: Path, copy: Path) -> None:
    """Copy the image's code once: a container that is started again in its pod keeps what was edited."""
    if not copy.exists():
        partial = copy.with_name(f"{copy.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(image, partial)
        partial.rename(copy)


def moved(environment: Mapping[str, str], image: Path, copy: Path) -> dict[str, str]:
    """Return the environment with every import path below `image` moved below `copy`."""
    paths = (Path(path) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path)
    found = [copy / path.relative_to(image) if path.is_relative_to(image) else path for path in paths]
    return {**environment, "PYTHONPATH": os.pathsep.join(map(str, found))}


def state(directory: Path) -> State:
    """Return modification time and size of every file: a synced file may have either unchanged, not both."""
    found: State = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - a Path each would cost more than the look itself
            try:
                facts = os.stat(path)  # noqa: PTH116
            except FileNotFoundError:  # taken away meanwhile
                continue
            found[path] = (facts.st_mtime_ns, facts.st_size)
    return found


class Process:
    """The command, running or ended."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.command, self.environment = command, environment
        self.start()

    def start(self) -> None:
        self.has_told = False
        self.running = subprocess.Popen(self.command, env=self.environment, process_group=0)  # noqa: S603 - the chart's

    def stop(self) -> int:
        """Ask it to end, end it with all its children after `STOP_TIMEOUT_SECONDS`, and return its exit status.

        One that a signal ended is 128 and the signal's number, as a shell has it.
        """
        self.running.terminate()
        try:
            code = self.running.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.running.pid, signal.SIGKILL)
            code = self.running.wait()
        return code if code >= 0 else 128 - code

    def tell_if_ended(self) -> None:
        """Say once that it ended by itself: an edit may have broken it, and the next one may mend it."""
        code = self.running.poll()
        if code is not None and not self.has_told:
            self.has_told = True
            tell(f"the command ended with status {code}; it is started again after the next edit")


def tell(text: str) -> None:
    print(f"shared.reload: {text}", file=sys.stderr, flush=True)  # noqa: T201 - before and beside any logging


def watch(process: Process, directory: Path) -> NoReturn:
    """Start the process anew after each edit; files that arrive together cost one start."""
    known = state(directory)
    while True:
        time.sleep(POLL_SECONDS)
        process.tell_if_ended()
        seen = settled(directory, known)
        if seen != known:
            tell(f"edited: {', '.join(changed(known, seen))}")
            process.stop()
            process.start()
            known = seen


def settled(directory: Path, known: State) -> State:
    """Return the directory's state: the known one, or a new one that two looks in a row agree on."""
    seen = state(directory)
    while seen != known:
        time.sleep(POLL_SECONDS)
        known, seen = seen, state(directory)
    return seen


def changed(before: State, after: State) -> list[str]:
    """Return the files that differ, sorted."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def main(command: list[str]) -> int:
    """Run `command` until told to stop; return its exit status."""
    if not command:
        tell("which command? python -m shared.reload COMMAND [ARGUMENT ...]")
        return 2
    prepare(IMAGE, COPY)
    process = Process(command, moved(os.environ, IMAGE, COPY))

    def stop(_: int, __: FrameType | None) -> None:
        sys.exit(process.stop())

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    watch(process, COPY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
