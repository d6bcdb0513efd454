"""`make compose`: the platform without a cluster, and what `docker compose` needs on this machine to bring it up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from smartcourse_dev import assembly, catalogue, docker, env, golang, plan
from smartcourse_dev.catalogue import Source
from smartcourse_dev.cli import console, run_steps
from smartcourse_dev.settings import ROOT, Settings
from smartcourse_dev.shell import Log, succeeds
from smartcourse_dev.steps import Step, closure

MODULE = "compose"
PROGRAM = "cmd"  # what Go calls it, after its package's directory
WAIT_SECONDS = 600


def answers() -> bool:
    """Whether `docker compose` is there."""
    return succeeds(*docker.command("compose", "version"))


def plugin() -> Path:
    """Return where Docker's client looks for the user's own plugin."""
    configuration = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    return Path(configuration) / "cli-plugins" / "docker-compose"


def install(_: Log) -> None:
    """Put the plugin that Go built where Docker's client finds it."""
    target = plugin()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial_file = target.with_name(f".{target.name}.partial")
    shutil.copy2(golang.output(MODULE) / PROGRAM, partial_file)
    partial_file.replace(target)


def go_step() -> Step:
    """Return the build of the plugin, which is needed only where Docker came without it."""
    (step,) = assembly.go_steps([MODULE])
    return Step(step.name, step.action, is_done=lambda: answers() or golang.is_built(MODULE), lane=step.lane,
                remedy=step.remedy)  # fmt: skip


def steps(source: Source) -> Iterator[Step]:
    """Yield what makes `docker compose up --build` work: engine, plugin and, without an image registry, base images."""
    if source is Source.OFFLINE:
        yield from closure(plan.offline_steps(), [f"image {name}" for name in env.IMAGES.values()])
    else:
        yield from closure(plan.upstream_steps(), ["docker engine"])
    build = go_step()
    yield build
    yield Step("docker compose", install, after=[build.name, "docker engine"], is_done=answers)


def write_env(source: Source, _: Log) -> None:
    env.ensure(env.TARGET, source)


def up(log: Log) -> None:
    command = docker.command("compose", "up", "--build", "--detach", "--wait", "--wait-timeout", str(WAIT_SECONDS))
    log.run(*command, cwd=ROOT, env=docker.environment())


def main() -> int:
    settings = Settings.from_environment()
    source = catalogue.choose(settings.images)
    shown = console()
    wanted = [
        *steps(source),
        Step(".env", partial(write_env, source)),
        Step("platform", up, after=["docker compose", ".env"],
             remedy="see `docker compose ps --all` and `docker compose logs`, and that the ports in .env are free"),
    ]  # fmt: skip
    if not run_steps(shown, wanted):
        return 1
    port = env.assignments(env.TARGET.read_text("utf-8"))["GATEWAY_PORT"]
    shown.print(f"""
The platform answers at http://localhost:{port} (the API is described at /docs). Its administrator is in .env.

    docker compose ps · docker compose logs --follow user-service · docker compose down
""", highlight=False)  # fmt: skip
    return 0
