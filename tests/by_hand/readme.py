"""A service's README, followed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

SECTION = re.compile(r"^## Run it without a container$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
START_TIMEOUT_SECONDS = 600
STOP_TIMEOUT_SECONDS = 20


def commands(readme: str) -> str:
    """Return the commands by which the README runs its service."""
    section = SECTION.search(readme)
    assert section, "there is no section `Run it without a container`"
    [block] = BLOCK.findall(section[1])
    return str(block)


def settings(root: Path, name: str) -> dict[str, str]:
    """Return the environment that the README's commands give its service, with the `.env` that lies in `root`."""
    folder = root / "services" / name
    text = commands((folder / "README.md").read_text())
    lines = [line for line in text.splitlines() if re.match(r"export |source \.\./", line)]
    own = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["bash", "-ec", "\n".join([*lines, "env -0"])], cwd=folder, env=own, check=True, capture_output=True, text=True
    )
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)


def environment(folder: Path) -> dict[str, str]:
    """Return ours without our own virtual environment: `python`, put into `folder`, is what that one was made with."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys._base_executable}" "$@"\n')  # type: ignore[attr-defined]
    python.chmod(0o755)
    own = str(Path(sys.executable).parent)
    path = [str(programs), *[each for each in os.environ["PATH"].split(os.pathsep) if each != own]]
    return {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}} | {
        "PATH": os.pathsep.join(path)
    }


class Followed:
    """A service that runs by its README's commands, in the foreground of a shell as somebody would have it."""

    def __init__(self, root: Path, name: str, *, ports: Mapping[str, str], environment: Mapping[str, str]) -> None:
        """Start it. `ports` are put in the place of those that the commands name."""
        self.name = name
        text = commands((root / "services" / name / "README.md").read_text())
        for written, ours in ports.items():
            text = text.replace(f"--port {written}\n", f"--port {ours}\n")
        script = root / f"{name}.sh"
        script.write_text(text)
        self._log = root / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-e", str(script)], cwd=root, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait_until_healthy(self, url: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while status(url) != 200:
            assert self._process.poll() is None, f"{self.name} ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"{self.name} is not healthy:\n{self.log()}"
            time.sleep(0.3)

    def log(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        """End the shell and all that it started."""
        for each in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, each)
            try:
                self._process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            break


def status(url: str) -> int:
    """Return the answer's status, 0 when there is none."""
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.HTTPError:
        return 0
