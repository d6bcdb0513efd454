"""Running programs: their output goes to the step's log, their failure becomes an error that names them."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

TAIL_LINES = 12
NOT_FOUND = 127


class StepError(Exception):
    """A step can't be done. The message says what happened; `remedy` says what to do about it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class CommandError(StepError):
    """A program ended with an error."""

    def __init__(self, command: tuple[str, ...], code: int, output: str = "") -> None:
        shown = shlex.join(command)
        last = f": {output.strip().splitlines()[-1]}" if output.strip() else ""
        super().__init__(f"`{shown if len(shown) <= 160 else shown[:157] + '...'}` ended with exit code {code}{last}")


class StoppedError(StepError):
    """The whole run was told to end."""


class Log:
    """A step's log file, and the programs that write into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stop = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self.line = ""
        self.listener: Callable[[str], None] = lambda _: None
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")

    def write(self, text: str) -> None:
        """Append lines; the last one is shown beside the running step."""
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")
        self.line = text.strip().splitlines()[-1] if text.strip() else self.line

    def tell(self, text: str) -> None:
        """Append a line that whoever waits should see even where output is plain."""
        self.write(text)
        self.listener(text)

    def wait(self, seconds: float) -> None:
        """Let time pass between two looks at something.

        Raises:
            StoppedError: the run is to end.
        """
        if self._stop.wait(seconds):
            raise StoppedError("interrupted")

    def interrupt(self) -> None:
        """End the step: its program, and its next wait; what comes from a terminal reaches programs only."""
        self._stop.set()
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def tail(self) -> list[str]:
        return self.path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]

    def run(self, *command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, text: str = "") -> None:
        """Run a program with its output in the log.

        Raises:
            CommandError: it ended with an error.
            StoppedError: the run is to end, and so was the program.
        """
        self.wait(0)
        self.write(f"$ {shlex.join(command)}")
        with subprocess.Popen(
            command, cwd=cwd, env=os.environ | dict(env or {}), text=True, errors="replace",
            stdin=subprocess.PIPE if text else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            if text and process.stdin:
                process.stdin.write(text)
                process.stdin.close()
            self._process = process
            if self._stop.is_set():  # since the look above
                process.terminate()
            for line in process.stdout or ():
                self.write(line)
        self.wait(0)
        if process.returncode:
            raise CommandError(command, process.returncode)


def capture(*command: str, env: Mapping[str, str] | None = None, timeout_seconds: float = 120) -> str:
    """Return what a program printed.

    Raises:
        CommandError: it is not there, ended with an error, or had not ended after `timeout_seconds`.
    """
    try:
        done = subprocess.run(
            command,
            env=os.environ | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(command, NOT_FOUND, f"there is no program {command[0]}") from error
    except subprocess.TimeoutExpired:
        raise CommandError(command, -1, f"no answer within {timeout_seconds:g} s") from None
    if done.returncode:
        raise CommandError(command, done.returncode, done.stderr)
    return done.stdout


def succeeds(*command: str, timeout_seconds: float = 30) -> bool:
    """Whether a program exists and ends well in time."""
    try:
        capture(*command, timeout_seconds=timeout_seconds)
    except (CommandError, OSError):
        return False
    return True
