"""Run a server for the time of a test session, and never longer than the process that wanted it."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0

# The shell holds one end of a pipe whose other end is ours: should this process be killed, the pipe breaks and the
# server is stopped as well.
_LEASH = """
exec 3<&0
"$@" </dev/null >>"$LEASH_LOG" 2>&1 3<&- &
server=$!
echo $server
exec >&-
(cat <&3; kill -s "$LEASH_SIGNAL" $server) >/dev/null 2>&1 &
wait $server
"""


class ServerError(Exception):
    """A server that tests need is not installed, or does not start."""


def program(*candidates: str, package: str) -> str:
    """The first of ``candidates`` (names or paths) that exists. Raises ServerError naming the Debian package."""
    for candidate in candidates:
        if found := shutil.which(candidate):
            return found
    raise ServerError(f"{candidates[0]} is not installed and these tests run it: apt-get install {package}")


def free_port() -> int:
    """A TCP port on loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def family(pid: int) -> Iterator[int]:
    """Yield a process that runs, those that it has started, those that they have started, and so on."""
    with suppress(OSError):
        yield pid
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from family(int(child))


def resident_bytes(pid: int) -> int:
    """Return the memory of a process that is resident, 0 if it has ended."""
    with suppress(OSError):
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


class Process:
    """One run of a server. ``stop_signal`` is what ends it in order."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._name = Path(command[0]).name
        self._log = log
        self._stop_signal = stop_signal
        leash = {"LEASH_LOG": str(log), "LEASH_SIGNAL": stop_signal.name.removeprefix("SIG")}
        self._shell = subprocess.Popen(  # noqa: S603 - the servers that tests run
            ["/bin/sh", "-c", _LEASH, "leash", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**(os.environ if environment is None else environment), **leash},
            start_new_session=True,
        )
        assert self._shell.stdout is not None  # noqa: S101 - for the type checker
        self.pid = int(self._shell.stdout.readline())

    def wait_until(self, answers: Callable[[], bool]) -> None:
        """Poll ``answers`` until it is true. Raises ServerError with the end of the log."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not answers():
            if self._shell.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServerError(f"{self._name} did not start:\n{self.log_tail()}")
            time.sleep(0.05)

    def stop(self, with_signal: signal.Signals | None = None) -> None:
        """End the server, with SIGKILL if it takes too long."""
        for each in (with_signal or self._stop_signal, signal.SIGKILL):
            if self._shell.poll() is None:
                os.kill(self.pid, each)
            try:
                self._shell.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            break
        for pipe in (self._shell.stdin, self._shell.stdout):
            if pipe is not None:
                pipe.close()

    def log_tail(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:]) if self._log.exists() else ""
