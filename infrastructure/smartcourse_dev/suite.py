"""`make test` and `make test-full`: checks, unit, integration, the platform as processes, Compose and venv, e2e cases.

Each stage prints as it goes and how long it took; a failing stage ends the run, for the next ones would only repeat it.
Servers and programs that the cases run (PostgreSQL, Redis, nginx; helm, kube-apiserver, etcd) are made ready before.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from smartcourse_dev import catalogue, check, compose, programs, skaffold
from smartcourse_dev.cli import follow, run_steps
from smartcourse_dev.settings import Settings
from smartcourse_dev.shell import CommandError, Log
from smartcourse_dev.steps import Step

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "build" / "reports"
TEST_CLUSTER = {"CLUSTER": "smartcourse-test", "HTTP_PORT": "8081"}
NODES_CLUSTER = {"CLUSTER": "smartcourse-nodes", "HTTP_PORT": "8082", "NODES": "3"}
# Those whose cases take longest come first: the last to begin should not keep the others waiting.
MEMBERS = ["operator", "shared", "services/course-service", "backup", "services/api-gateway", "plugin",
           "services/notification-service", "charts", "services/user-service", "infrastructure"]  # fmt: skip
OUTCOMES = ("tests", "failures", "errors", "skipped")


def run(*command: str, **environment: str) -> bool:
    """Run a command in the repository, its output going to ours; true when it ended well."""
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False).returncode == 0


def command(name: str, *arguments: str) -> list[str]:
    """Return what runs cases and writes their report, which `counted` adds up."""
    report = f"--junitxml={REPORTS / name}.xml"
    return [sys.executable, "-m", "pytest", "--quiet", "--durations=10", report, *arguments]


def pytest(name: str, *arguments: str, **environment: str) -> bool:
    return run(*command(name, *arguments), **environment)


def members(kind: str) -> list[str]:
    return [path for member in MEMBERS if (ROOT / (path := f"{member}/tests/{kind}")).is_dir()]


def integration() -> bool:
    """Run the integration cases of each member in a process of their own, two members at the same time.

    What the cases of one leave behind thus cannot slow another's, and what fails keeps none from being run.
    """
    failed: list[str] = []
    have_run = follow(Console(), [integration_step(path, failed) for path in members("integration")], parallel=2)
    return have_run and not failed


def integration_step(path: str, failed: list[str]) -> Step:
    """Return the step that runs a member's cases; it notes in `failed` that one failed, after printing why."""
    name = path.split("/")[-3]

    def cases(log: Log) -> None:
        try:
            log.run(*command(f"integration-{name}", path), cwd=ROOT, env=programs.environment())
        except CommandError:
            failed.append(name)
            sys.stdout.write(log.path.read_text("utf-8", "replace"))
        log.tell(log.tail()[-1])

    return Step(f"cases of {name}", cases)


def mutations() -> bool:
    """Break the gateway's defences one by one: a test has to notice each."""
    return pytest("mutations", "services/api-gateway/tests/mutations")


def platform(*, examples: int) -> bool:
    """Run the platform as processes; `examples` says how many random requests its contract meets an operation."""
    return pytest("platform", "tests/platform", CONTRACT_EXAMPLES=str(examples))


def without_a_cluster() -> bool:
    """Run the platform by Compose, and by hand as the READMEs say."""
    source = catalogue.choose(Settings.from_environment().images)
    return run_steps(Console(), compose.steps(source)) and pytest("compose", "tests/compose", "tests/by_hand")


def make(verb: str, of: Mapping[str, str]) -> bool:
    """Make or take away a cluster."""
    return run(sys.executable, "-m", "smartcourse_dev", verb, **of)


def end_to_end(name: str, of: Mapping[str, str], selection: str) -> bool:
    target = {
        "SMARTCOURSE_CONTEXT": f"kind-{of['CLUSTER']}",
        "SMARTCOURSE_URL": f"http://localhost:{of['HTTP_PORT']}",
    }
    return pytest(name, "-v", "tests/e2e", "-m", selection, **target, **programs.environment())


def several_nodes() -> bool:
    """Run the cases that drain nodes, on a cluster that is there for them alone."""
    passed = make("up", NODES_CLUSTER) and end_to_end("nodes", NODES_CLUSTER, "nodes")
    return make("down", NODES_CLUSTER) and passed


def counted() -> dict[str, int]:
    """Add up the stages' reports: how many cases ran, failed, broke or were skipped."""
    total = dict.fromkeys(OUTCOMES, 0)
    for report in REPORTS.glob("*.xml"):
        for suite in ET.parse(report).iter("testsuite"):  # noqa: S314 - our own pytest wrote it
            for outcome in OUTCOMES:
                total[outcome] += int(suite.get(outcome, 0))
    return total


def development_loops() -> bool:
    """Run Skaffold against the cluster: build, deploy, edit, reload, take away."""
    target = {"SMARTCOURSE_CONTEXT": f"kind-{TEST_CLUSTER['CLUSTER']}"}
    return run_steps(Console(), skaffold.steps()) and pytest(
        "development-loops", "-v", "tests/devloop/live", **target, **programs.environment()
    )


def stages(verb: str) -> list[tuple[str, Callable[[], bool]]]:
    return [
        ("checks", lambda: check.main() == 0),
        ("servers and programs", lambda: run_steps(Console(), programs.steps())),
        (
            "unit",
            lambda: pytest("unit", *members("unit"), "tests/guide", "tests/devloop/declared", **programs.environment()),
        ),
        ("integration", integration),
        *([("mutations", mutations)] if verb == "test-full" else []),
        ("platform", lambda: platform(examples=50 if verb == "test-full" else 4)),
        ("compose and venv", without_a_cluster),
        ("cluster", lambda: make("up", TEST_CLUSTER)),
        ("end to end", lambda: end_to_end("e2e", TEST_CLUSTER, "not nodes" if verb == "test-full" else "core")),
        *([("development loops", development_loops), ("nodes", several_nodes)] if verb == "test-full" else []),
    ]


def main(verb: str) -> int:
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    began = time.monotonic()
    failed = ""
    for name, stage in stages(verb):
        print(f"\n== {name}", flush=True)
        started = time.monotonic()
        passed = stage()
        print(f"== {name}: {'ok' if passed else 'FAILED'}, {time.monotonic() - started:.0f} s", flush=True)
        if not passed:
            failed = name
            break
    total = counted()
    wrong = total["failures"] + total["errors"]
    passed_cases = total["tests"] - wrong - total["skipped"]
    print(f"\n{passed_cases} passed, {wrong} failed, {total['skipped']} skipped in {time.monotonic() - began:.0f} s")
    if failed:
        print(f"make {verb} stopped at: {failed}. Mend it and run again; what was built is kept.")
    elif total["skipped"]:
        print("A skipped case proves nothing: make its preparation work instead.")
    return 1 if failed or total["skipped"] else 0
