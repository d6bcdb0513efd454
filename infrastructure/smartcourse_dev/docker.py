"""Docker's command line: images that remember what they were made from."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from smartcourse_dev.shell import Log, capture, succeeds

INPUTS_LABEL = "io.smartcourse.inputs"
FIRST_WITHOUT_BUILDER = 23
DEBIANS_CLIENT = "/usr/bin/docker"


@functools.cache
def _builds(client: str) -> bool:
    """Whether this client can drive BuildKit: by itself up to 22, through its buildx plugin since."""
    said = subprocess.run([client, "--version"], capture_output=True, text=True, check=False).stdout
    major = re.search(r"version (\d+)\.", said)
    return major is not None and (int(major[1]) < FIRST_WITHOUT_BUILDER or succeeds(client, "buildx", "version"))


def client() -> str:
    """Return the first client that can build; a `docker` early on PATH may be one without buildx.

    It is looked for each time: Debian's appears with the engine that a first run installs.
    """
    candidates = [path for path in (shutil.which("docker"), DEBIANS_CLIENT) if path and Path(path).exists()]
    return next(filter(_builds, candidates), candidates[0] if candidates else "docker")


def environment() -> dict[str, str]:
    """Return the variables for programs that call `docker` themselves (kind)."""
    return {"DOCKER_BUILDKIT": "1", "PATH": f"{Path(client()).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def command(*arguments: str) -> tuple[str, ...]:
    return (client(), *arguments)


def is_reachable() -> bool:
    return succeeds(*command("info", "--format", "{{.ServerVersion}}"), timeout_seconds=15)


def image_id(reference: str) -> str:
    """Return the image's id, "" when there is no such image."""
    listed = capture(*command("image", "ls", "--no-trunc", "--quiet", reference)).split()
    return listed[0] if listed else ""


def made_from(reference: str) -> str:
    """Return the inputs' hash that the image was made from, "" when it is absent or not ours."""
    if not image_id(reference):
        return ""
    return capture(
        *command("image", "inspect", "--format", f'{{{{index .Config.Labels "{INPUTS_LABEL}"}}}}', reference)
    ).strip()


def build(
    log: Log,
    *,
    reference: str,
    context: Path,
    dockerfile: Path,
    inputs: str,
    arguments: Mapping[str, str],
    target: str = "",
) -> None:
    """Build an image and label it with the hash of its inputs."""
    stage = ("--target", target) if target else ()
    told = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    log.run(
        *command("build", "--progress", "plain", "--file", str(dockerfile), "--tag", reference,
                 "--label", f"{INPUTS_LABEL}={inputs}", *stage, *told, str(context)),
        env={"DOCKER_BUILDKIT": "1"},
    )  # fmt: skip


def pull(log: Log, reference: str) -> None:
    log.run(*command("pull", "--quiet", reference))


def state(container: str) -> str:
    """Return "running", "exited", ... or "" when there is no such container."""
    listed = capture(*command("ps", "--all", "--no-trunc", "--filter", f"name=^{container}$", "--format", "{{.State}}"))
    return listed.strip()


def remove(container: str) -> None:
    if state(container):
        capture(*command("rm", "--force", "--volumes", container))
