"""Releases that are derived from the images of today: the same programs, and migrations of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from smartcourse_dev import releases as files

from .kubernetes import OPERATOR_NAMESPACE, Kubectl, eventually

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("user", "course", "notification", "gateway")
OPERATOR = "smartcourse-operator"
NODES_REGISTRY, ENGINES_REGISTRY = "smartcourse.local/", "localhost:5001/"
MADE_FOR = "smartcourse.io/made-for"
VERSIONS_DIRECTORY = "/app/src/user_service/migrations/versions/"
REVISION = """
from alembic import op

revision, down_revision = {name!r}, {before!r}
phase = {phase!r}


def upgrade() -> None:
    for statement in {statements!r}:
        op.execute(statement)
"""


@dataclass(frozen=True)
class Revision:
    """A migration of user-service."""

    name: str
    before: str
    statements: tuple[str, ...]
    phase: str = "expand"

    @property
    def text(self) -> str:
        return REVISION.format(name=self.name, before=self.before, phase=self.phase, statements=self.statements)


@dataclass(frozen=True)
class Release:
    """A release whose pods run today's programs; its user-service brings `revisions`, its own the last ones."""

    version: str
    before: str
    revisions: tuple[Revision, ...]
    schema: dict[str, str] = field(default_factory=dict)

    def document(self, images: Mapping[str, str]) -> dict[str, Any]:
        return {"upgradeFrom": [self.before], "images": dict(images), "schema": {"user": self.schema}}


def today() -> str:
    """Return the revision that user-service of today needs: the first of the derived ones follows it."""
    revision: str = yaml.safe_load(files.newest().read_text(encoding="utf-8"))["schema"]["user"]["expand"]
    return revision


def images(kubectl: Kubectl) -> dict[str, str]:
    """Return the images that the operator installs, by component."""
    operator = kubectl.in_namespace(OPERATOR_NAMESPACE).get("deployment", OPERATOR)
    environment = operator["spec"]["template"]["spec"]["containers"][0]["env"]
    configured = next(one["value"] for one in environment if one["name"] == "SMARTCOURSE_OPERATOR_IMAGES")
    found: dict[str, str] = json.loads(configured)
    return found


def run(*command: str, stdin: str | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(command, input=stdin, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def push(directory: Path, reference: str) -> None:
    """Build the image that `directory` describes and push it to where the nodes pull it from."""
    pushed = ENGINES_REGISTRY + reference.removeprefix(NODES_REGISTRY)
    run("docker", "build", "--quiet", "--tag", pushed, str(directory))
    run("docker", "push", "--quiet", pushed)
    run("docker", "rmi", "--no-prune", pushed)


def derive(release: Release, images: Mapping[str, str], directory: Path) -> dict[str, Any]:
    """Build and push a release's images from those of today; returns it as the operator's chart takes it."""
    made = dict(images)
    for service in SERVICES:
        context = directory / f"{release.version}-{service}"
        context.mkdir()
        base = images[service].replace(NODES_REGISTRY, ENGINES_REGISTRY, 1)
        lines = [f"FROM {base}", f"LABEL release={release.version}"]
        if service == "user" and release.revisions:
            for revision in release.revisions:
                (context / f"{revision.name}.py").write_text(revision.text, encoding="utf-8")
            lines.append(f"COPY *.py {VERSIONS_DIRECTORY}")
        (context / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
        made[service] = f"{images[service].rpartition(':')[0]}:{images[service].rpartition(':')[2]}-{release.version}"
        push(context, made[service])
    return release.document(made)


def derive_operator(kubectl: Kubectl, version: str, directory: Path) -> str:
    """Build and push an operator of the next release, whose pods have an annotation more; returns its reference.

    It carries today's release as one that is closed.
    """
    base = configuration(kubectl)["image"].replace(NODES_REGISTRY, ENGINES_REGISTRY, 1)
    for name in ("charts", "infrastructure/postgres", "infrastructure/redis", "manifests"):
        shutil.copytree(ROOT / name, directory / name, symlinks=True)
    run(sys.executable, "-m", "smartcourse_operator.closing", cwd=directory)
    closed = files.newest(directory / "manifests/releases")
    document = yaml.safe_load(closed.read_text(encoding="utf-8"))
    del document["charts"]
    document |= {"version": version, "upgradeFrom": [closed.stem]}
    (closed.parent / f"{version}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    template, port = directory / "charts/lib/templates/_workload.tpl", '        prometheus.io/port: "9090"\n'
    text = template.read_text(encoding="utf-8")
    assert port in text
    template.write_text(text.replace(port, f'{port}        {MADE_FOR}: "{version}"\n'), encoding="utf-8")
    lines = [f"FROM {base}", "COPY manifests/releases /etc/smartcourse/releases", "COPY charts/lib /charts/lib"]
    (directory / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    reference = f"{configuration(kubectl)['image']}-{version}"
    push(directory, reference)
    return reference


def where(kubectl: Kubectl) -> list[str]:
    return ["--kube-context", kubectl.context, "--namespace", OPERATOR_NAMESPACE]


def helm() -> str:
    found = os.environ.get("HELM") or shutil.which("helm")
    assert found, "HELM names no program"
    return found


def configuration(kubectl: Kubectl) -> dict[str, Any]:
    """Return the values that the operator's chart was installed with."""
    found: dict[str, Any] = json.loads(run(helm(), "get", "values", OPERATOR, "--output", "json", *where(kubectl)))
    return found


def configure(kubectl: Kubectl, values: Mapping[str, Any]) -> None:
    """Give the operator's chart these values and no others, as its administrator would."""
    run(helm(), "upgrade", OPERATOR, str(ROOT / "charts" / OPERATOR), *where(kubectl), "--skip-crds", "--reset-values",
        "--values", "-", "--wait", "--timeout", "3m", stdin=json.dumps(values))  # fmt: skip


def teach(kubectl: Kubectl, releases: Mapping[str, dict[str, Any]]) -> None:
    """Have the operator know these releases beside its own."""
    # Kept as a whole: Helm would merge the releases of a value that is set with those that it knows.
    configure(kubectl, {**configuration(kubectl), "releases": dict(releases)})


@contextlib.contextmanager
def another_operator(kubectl: Kubectl, version: str) -> Iterator[None]:
    """Have an operator of another version in place of the installed one for as long as the context lasts.

    Its own images are those of the release `version`; so it is told where those of today's are, as a person has to.
    """
    before = configuration(kubectl)
    with tempfile.TemporaryDirectory() as directory:
        image = derive_operator(kubectl, version, Path(directory))
    told = {**before.get("releases", {}), files.newest().stem: {"images": images(kubectl)}}
    try:
        configure(kubectl, {**before, "image": image, "releases": told})
        yield
    finally:
        configure(kubectl, before)


@contextlib.contextmanager
def known(kubectl: Kubectl, releases: Sequence[Release]) -> Iterator[None]:
    """Have the operator know these releases for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as directory:
        today = images(kubectl)
        teach(kubectl, {release.version: derive(release, today, Path(directory)) for release in releases})
    try:
        yield
    finally:
        teach(kubectl, {})


def ask_for(kubectl: Kubectl, name: str, version: str | None) -> None:
    kubectl.merge("smartcourse", name, {"spec": {"version": version}})


def until_runs(kubectl: Kubectl, name: str, version: str) -> dict[str, Any]:
    """Wait until a release is run and nothing of the upgrade is left to do; return the status."""

    def runs() -> dict[str, Any] | None:
        found: dict[str, Any] = kubectl.get("smartcourse", name)["status"]
        is_done = found["version"] == version and (found.get("upgrade") or {}).get("phase") == "completed"
        return found if is_done else None

    found = eventually(
        runs, timeout_seconds=600, what=lambda: f"{version} to be run: {kubectl.condition(name, 'Upgraded')}"
    )
    kubectl.wait_ready(name)
    return found
