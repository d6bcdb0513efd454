"""What the checkout says that both tools' files must agree with: Dockerfiles, and what Helm renders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from smartcourse_dev import golang, images

Document = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
IMAGE_CODE = PurePosixPath("/app")
RELOADED_CODE = PurePosixPath("/tmp/app")
RELOADED = ["python", "-m", "shared.reload"]
WORKLOADS = {"Deployment", "StatefulSet", "Job"}
OURS = {name: path for path, name in images.COMPONENTS.values() if (ROOT / path / "pyproject.toml").is_file()}
"""The members' images, each with the directory of its Dockerfile."""


def helm_program() -> str:
    """Return Helm: the one that HELM names, the one on PATH, or the one that was built."""
    return os.environ.get("HELM") or shutil.which("helm") or str(golang.output("helm") / "helm")


def rendered(chart: str, *arguments: str) -> list[Document]:
    """Return what `helm template` makes of a chart of the checkout."""
    done = subprocess.run(
        [helm_program(), "template", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{chart}: {done.stderr}"
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def workloads(documents: list[Document]) -> list[Document]:
    return [document for document in documents if document["kind"] in WORKLOADS]


def containers(documents: list[Document], *, initial: bool = True) -> list[Document]:
    """Return the containers of all workloads."""
    pods = [document["spec"]["template"]["spec"] for document in workloads(documents)]
    return [each for pod in pods for each in [*(pod.get("initContainers", []) if initial else []), *pod["containers"]]]


def dockerfile(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def copied(path: str) -> dict[str, PurePosixPath]:
    """Return what the last stage of a Dockerfile copies from the checkout, with its place in the image."""
    last = re.sub(r"\\\n", " ", dockerfile(path)).rpartition("\nFROM ")[2]
    found: dict[str, PurePosixPath] = {}
    for match in images.COPY.finditer(last):
        if "--from=" not in match["flags"]:
            *froms, target = match["paths"].split()
            found |= {each: PurePosixPath(target) for each in froms}
    return found


def command(path: str) -> list[str]:
    """Return a Dockerfile's CMD."""
    found = re.search(r"^CMD (\[.*\])$", dockerfile(path), re.MULTILINE)
    assert found, f"{path} has no CMD"
    words: list[str] = yaml.safe_load(found[1])
    return words


def place(path: str, dockerfile_path: str) -> PurePosixPath | None:
    """Return where the image has a file of the checkout, None when it has not."""
    for source, target in copied(dockerfile_path).items():
        if path == source or path.startswith(f"{source}/"):
            return target / PurePosixPath(path).relative_to(source)
    return None


def code(dockerfile_path: str) -> list[str]:
    """Return the files of the checkout that the image runs and that can be exchanged while it does."""
    roots = [source for source, target in copied(dockerfile_path).items() if (ROOT / source).is_dir()
             and target.is_relative_to(IMAGE_CODE)]  # fmt: skip
    return [str(file.relative_to(ROOT)) for root in roots for file in images.files(ROOT / root)]


def reloaded_place(path: str, dockerfile_path: str) -> str:
    """Return where a running container has its writable copy of a file."""
    found = place(path, dockerfile_path)
    assert found, f"{dockerfile_path} does not copy {path}"
    return str(RELOADED_CODE / found.relative_to(IMAGE_CODE))
