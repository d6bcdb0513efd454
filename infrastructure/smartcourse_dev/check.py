"""`make check`: what can be said about the code without running it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from smartcourse_dev import generate

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TYPED = ["shared/shared", "operator/src", "backup/src", "plugin/src", "infrastructure/smartcourse_dev",
         "infrastructure/images", "tests",
         *[f"services/{name}/src" for name in ("api-gateway", "course-service", "notification-service",
                                               "user-service")]]  # fmt: skip


@dataclass(frozen=True)
class Check:
    """A named check; `run` returns what is wrong, an empty string when nothing is."""

    name: str
    run: Callable[[], str]


def output(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)


def command(name: str, *arguments: str) -> Check:
    def run() -> str:
        done = output(str(BIN / arguments[0]), *arguments[1:])
        return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit {done.returncode}"

    return Check(name, run)


def tracked(*patterns: str) -> list[str]:
    listed = output("git", "ls-files", "-co", "--exclude-standard", "--", *patterns)
    listed.check_returncode()
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def shell_scripts() -> list[str]:
    """Files whose first line calls a shell."""
    found = []
    for name in tracked():
        with (ROOT / name).open("rb") as file:
            first = file.readline()
        if first.startswith(b"#!") and b"sh" in first.split(b"/")[-1]:
            found.append(name)
    return found


def stale_files() -> str:
    stale = [str(path.relative_to(ROOT)) for path in generate.stale()]
    return f"stale: {', '.join(stale)}; run `make generate` and commit the result" if stale else ""


def checks() -> Iterator[Check]:
    yield command("lint", "ruff", "check", ".")
    yield command("format", "ruff", "format", "--check", ".")
    yield command("types", "mypy", *TYPED)
    yield command("imports", "lint-imports")
    yield command("shell scripts", "shellcheck", *shell_scripts())
    yield command("Dockerfiles", "hadolint", "--config", ".hadolint.yaml", *tracked("*Dockerfile", "*.Dockerfile"))
    yield Check("generated files are current", stale_files)


def main() -> int:
    failed = 0
    for check in checks():
        started = time.monotonic()
        wrong = check.run()
        print(f"{'FAILED' if wrong else 'ok    '}  {check.name}  {time.monotonic() - started:.1f} s", flush=True)
        if wrong:
            failed += 1
            print(wrong, flush=True)
    return 1 if failed else 0
