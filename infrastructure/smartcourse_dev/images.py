"""The project's own images: named by the hash of what goes in, so that an unchanged one is neither built nor pushed."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from smartcourse_dev import catalogue, docker, pins, registry
from smartcourse_dev.catalogue import Source
from smartcourse_dev.settings import ROOT
from smartcourse_dev.shell import Log, StepError

# Component -> its directory and its image's name.
COMPONENTS = {
    "gateway": ("services/api-gateway", "api-gateway"),
    "user": ("services/user-service", "user-service"),
    "course": ("services/course-service", "course-service"),
    "notification": ("services/notification-service", "notification-service"),
    "operator": ("operator", "operator"),
}
# What the operator runs as Jobs, likewise.
JOBS = {"backup": ("backup", "backup")}
# What a development cluster has beside a SmartCourse, likewise.
TOOLS = {"mailbox": ("infrastructure/images/mailbox", "mailbox")}
EVERY = COMPONENTS | JOBS | TOOLS
# As in .dockerignore: what is made while working and never copied into an image.
IGNORED = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "tests", "venv", ".git"}
IGNORED_SUFFIXES = (".pyc", ".egg-info")
COPY = re.compile(r"^COPY\s+(?P<flags>(?:--\S+\s+)*)(?P<paths>.+)$", re.MULTILINE | re.IGNORECASE)
ARGUMENT = re.compile(r"^ARG\s+(?P<name>\w+)", re.MULTILINE | re.IGNORECASE)
PINNED = re.compile(r"pins\.py /constraints\.txt(?P<names>(?: [a-z0-9-]+)+)")


def dockerfile(component: str) -> Path:
    path = ROOT / EVERY[component][0] / "Dockerfile"
    if not path.is_file():
        raise StepError(f"{path.relative_to(ROOT)} is missing")
    return path


def copied(text: str) -> list[str]:
    """Return what a Dockerfile copies from the build context, relative to the repository."""
    joined = re.sub(r"\\\n", " ", text)
    found: list[str] = []
    for match in COPY.finditer(joined):
        if "--from=" not in match["flags"]:
            found += match["paths"].split()[:-1]
    return sorted(set(found))


def files(path: Path) -> Iterator[Path]:
    """Yield the files and links under `path`, sorted; links are not followed."""
    if path.is_symlink() or path.is_file():
        yield path
        return
    for entry in sorted(path.iterdir()):
        if entry.name not in IGNORED and not entry.name.endswith(IGNORED_SUFFIXES):
            yield from files(entry)


def content(path: Path, dockerfile_text: str) -> bytes:
    """Return what a file adds to the hash: of the constraints, only the pins that the Dockerfile selects of them."""
    selected = PINNED.search(dockerfile_text)
    if path.name == "constraints.txt" and selected:
        return pins.closure(path.read_text("utf-8"), set(selected["names"].split())).encode()
    if path.is_symlink():
        return str(path.readlink()).encode()
    return path.read_bytes()


def build_arguments(text: str, source: Source) -> dict[str, str]:
    """Return the build arguments that the Dockerfile declares, of those that the catalogue can give."""
    known = {
        "PYTHON_IMAGE": catalogue.reference("python", source),
        "BOOKWORM_IMAGE": catalogue.bookworm(source),
        "HELM_IMAGE": catalogue.reference("helm", source),
        "HELM_PATH": catalogue.HELM_PATHS[source],
    }
    declared = {match["name"] for match in ARGUMENT.finditer(text)}
    return {name: value for name, value in known.items() if name in declared}


def content_hash(component: str, source: Source) -> str:
    """Return 12 hex digits over everything that the component's image is made from."""
    text = dockerfile(component).read_text("utf-8")
    arguments = build_arguments(text, source)
    digest = hashlib.sha256(f"{text}\n{sorted(arguments.items())}\n".encode())
    for name, value in sorted(arguments.items()):
        if name.endswith("_IMAGE"):
            digest.update(docker.image_id(value).encode())
    for name in copied(text):
        matches = sorted(ROOT.glob(name)) if "*" in name else [ROOT / name]
        for root in matches:
            if not root.exists():
                raise StepError(f"{dockerfile(component).relative_to(ROOT)} copies {name}, which does not exist")
            for path in files(root):
                digest.update(f"\n{path.relative_to(ROOT)}\n".encode() + content(path, text))
    return digest.hexdigest()[:12]


@cache
def reference(component: str, source: Source) -> str:
    """Return the image's full name, the same for the whole run: an edit made meanwhile is the next run's."""
    return f"{registry.HOST}/{EVERY[component][1]}:{content_hash(component, source)}"


def is_current(component: str, source: Source) -> bool:
    return registry.has(reference(component, source))


def build(component: str, source: Source, log: Log) -> None:
    """Build the component's image and push it."""
    path = dockerfile(component)
    name = reference(component, source)
    docker.build(log, reference=name, context=ROOT, dockerfile=path, inputs=name.rpartition(":")[2],
                 arguments=build_arguments(path.read_text("utf-8"), source))  # fmt: skip
    registry.push(log, name)


def main(source: Source) -> int:
    """Print the reference of every image of the project, as JSON lines would be read: component, tab, reference."""
    for component in EVERY:
        sys.stdout.write(f"{component}\t{reference(component, source)}\n")
    return 0
