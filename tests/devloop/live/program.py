"""Skaffold itself, in one checkout and against one cluster."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from smartcourse_dev import docker
from smartcourse_dev import skaffold as built
from tests.e2e.kubernetes import eventually

COMMAND_SECONDS = 780
END_SECONDS = 120
FORWARDED = re.compile(r"Port forwarding service/(\S+) in namespace \S+, remote port \d+ -> (http://\S+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SHOWN_CHARACTERS = 4000


@dataclass
class Session:
    """A `skaffold dev` that runs, and what it has said so far: its own lines and the containers'."""

    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        return COLOUR.sub("", self.log.read_text("utf-8", errors="replace"))

    def wait_for(self, text: str, *, after: int = 0, timeout_seconds: float) -> None:
        """Wait until the output says `text` beyond its first `after` characters."""

        def said() -> bool:
            return text in self.output()[after:] or self.process.poll() is not None

        def awaited() -> str:
            return f"Skaffold to say {text!r}; it said:\n{self.output()[-SHOWN_CHARACTERS:]}"

        eventually(said, timeout_seconds=timeout_seconds, what=awaited, every_seconds=0.1)
        assert text in self.output()[after:], f"Skaffold ended before it said {text!r}: {awaited()}"

    def forwards(self) -> dict[str, str]:
        """Return the URL that Skaffold forwards to each Service, by the Service's name."""
        return dict(FORWARDED.findall(self.output()))

    def end(self) -> None:
        """Press Ctrl-C, and wait until Skaffold has cleaned up; whatever is left of its processes is killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(END_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass(frozen=True)
class Skaffold:
    """Skaffold with the Helm that it was built with, as somebody without a configuration of their own runs it.

    Attributes:
        state: a folder for what Skaffold remembers.
        profiles: those that every command is given.
    """

    checkout: Path
    context: str
    state: Path
    profiles: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        programs = built.directory()
        assert programs.is_dir(), "Skaffold is not built: run `make skaffold`"
        engine = docker.environment()
        own = {
            "PATH": f"{programs}{os.pathsep}{engine['PATH']}",
            "SKAFFOLD_KUBE_CONTEXT": self.context,
            "SKAFFOLD_CONFIG": str(self.state / "config"),
            "SKAFFOLD_CACHE_FILE": str(self.state / "cache"),
            "SKAFFOLD_UPDATE_CHECK": "false",
            "SKAFFOLD_INTERACTIVE": "false",
        }
        return os.environ | engine | own

    def command(self, verb: str, module: str, *options: str) -> list[str]:
        profiles = [word for profile in self.profiles for word in ("--profile", profile)]
        return [str(built.directory() / "skaffold"), verb, "--module", module, *profiles, *options]

    def run(self, verb: str, module: str, *options: str) -> str:
        """Run a command that is to end well; return what it said."""
        done = subprocess.run(
            self.command(verb, module, *options), cwd=self.checkout, env=self.environment, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=COMMAND_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"skaffold {verb}: {done.stdout[-SHOWN_CHARACTERS:]}"
        return COLOUR.sub("", done.stdout)

    @contextmanager
    def dev(self, module: str, *options: str) -> Iterator[Session]:
        """Run `skaffold dev` until the block ends; yields once everything is deployed and watched."""
        log = self.state / f"dev-{module}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                self.command("dev", module, *options), cwd=self.checkout, env=self.environment, stdout=file,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        session = Session(process, log)
        try:
            session.wait_for("Watching for changes...", timeout_seconds=COMMAND_SECONDS)
            yield session
        finally:
            session.end()
