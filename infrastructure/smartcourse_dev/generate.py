"""Files that are made from others: written by `make generate`, and held to be current by `make check`.

`UPGRADE=1 make generate` also moves the pins in constraints.txt to the newest versions that the requirements allow.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from smartcourse_dev import releases

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = ["shared", "services/api-gateway", "services/course-service", "services/notification-service",
           "services/user-service", "operator", "backup", "plugin", "infrastructure"]  # fmt: skip
PYTHON_PLATFORM = "x86_64-manylinux_2_31"

# What each file holds is the standard output of a module, with the arguments that follow its name.
GENERATED = {
    "services/user-service/openapi.json": "user_service.openapi",
    "services/course-service/openapi.json": "course_service.openapi",
    "services/notification-service/openapi.json": "notification_service.openapi",
    "manifests/crd/smartcourses.yaml": "smartcourse_operator.crd",
    "manifests/crd/smartcoursebackups.yaml": "smartcourse_operator.crd smartcoursebackups",
    "manifests/crd/smartcourserestores.yaml": "smartcourse_operator.crd smartcourserestores",
    "manifests/rbac/operator.yaml": "smartcourse_operator.rbac",
    f"manifests/releases/{releases.newest().name}": "smartcourse_dev.releases",
    "docs/asyncapi.yaml": "shared.events.asyncapi",
    "docs/SmartCourse-ERD-Complete.md": "smartcourse_dev.erd",
    # After the openapi.json files that they are made from:
    "docs/routes.md": "smartcourse_dev.routes",
    "charts/smartcourse/files/traefik.json": "api_gateway.data_plane.traefik",
    "docs/data-plane/envoy.json": "api_gateway.data_plane.envoy",
}

# What each folder's files hold is printed by a module as one JSON object, name → text.
GENERATED_FOLDERS = {"shared/shared/events/schemas": "shared.events.schema"}


class GenerationError(RuntimeError):
    """A generator ended with an error; the message holds what it printed."""


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GenerationError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout


def constraints(*, upgrade: bool = False) -> str:
    """Return `constraints.txt` as the members' requirements give it; pins that still fit are kept, unless `upgrade`."""
    target = ROOT / "build" / "constraints.txt"
    target.parent.mkdir(exist_ok=True)
    target.write_text((ROOT / "constraints.txt").read_text(encoding="utf-8"), encoding="utf-8")
    run(
        sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--generate-hashes", "--all-extras", "--no-header",
        "--python-version", "3.11", "--python-platform", PYTHON_PLATFORM,
        *[f"{member}/pyproject.toml" for member in MEMBERS], "--output-file", str(target),
        *(["--upgrade"] if upgrade else []),
    )  # fmt: skip
    return target.read_text(encoding="utf-8")


def contents(*, upgrade: bool = False) -> Iterator[tuple[Path, str]]:
    """Yield every generated file with what it should hold."""
    yield ROOT / "constraints.txt", constraints(upgrade=upgrade)
    for path, module in GENERATED.items():
        yield ROOT / path, run(sys.executable, "-m", *module.split())
    for folder, module in GENERATED_FOLDERS.items():
        for name, text in json.loads(run(sys.executable, "-m", module)).items():
            yield ROOT / folder / name, text


def stale() -> list[Path]:
    """Return the generated files whose content is not what their sources give."""
    return [path for path, text in contents() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main() -> int:
    for path, text in contents(upgrade=os.environ.get("UPGRADE") == "1"):
        current = path.exists() and path.read_text(encoding="utf-8") == text
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"{'current' if current else 'written'}  {path.relative_to(ROOT)}")
    return 0
