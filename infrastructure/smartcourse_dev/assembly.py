"""Assembling images from Debian, PyPI and Go programs, where no image registry answers."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smartcourse_dev import catalogue, debian, docker, golang, pins, registry
from smartcourse_dev.catalogue import Source
from smartcourse_dev.settings import CACHE, INFRASTRUCTURE, OFFLINE, ROOT
from smartcourse_dev.shell import Log
from smartcourse_dev.steps import Step

RECIPES = OFFLINE / "images"
GO_LANE = "go"
GO_REMEDY = "see that the Go module proxy (go env GOPROXY) can be reached and the disk is not full"
BASE_STEP = "image base"


@dataclass(frozen=True)
class Recipe:
    """How one image is assembled.

    Attributes:
        name: its name in the catalogue.
        directory: the directory under `infrastructure/offline/images` with its Dockerfile.
        parent: the catalogue's name of the image it is built upon.
        programs: Go module -> its programs to copy; a program may be renamed as "built-name:name".
        files: further files of the repository for the build context.
        pushed: whether nodes pull it.
    """

    name: str
    directory: str
    parent: str = ""
    programs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    files: tuple[Path, ...] = ()
    pushed: bool = True

    @property
    def reference(self) -> str:
        return catalogue.reference(self.name, Source.OFFLINE)

    @property
    def step(self) -> str:
        return f"image {self.name}"

    def arguments(self) -> dict[str, str]:
        if not self.parent:
            return {}
        name = "PYTHON_IMAGE" if self.parent == "python" else "BASE_IMAGE"
        return {name: catalogue.reference(self.parent, Source.OFFLINE)}


def static(name: str, module: str, program: str = "") -> Recipe:
    return Recipe(name, "static", programs=((module, (program or name,)),), pushed=name not in {"registry", "helm"})


PINS = (INFRASTRUCTURE / "images" / "pins.py", ROOT / "constraints.txt")
ASSEMBLED = [
    static("registry", "registry"),
    static("pause", "tools"),
    static("etcd", "etcd", "server:etcd"),
    *[static(name, "kubernetes") for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")],
    Recipe("kube-proxy", "kube-proxy", parent="base", programs=(("kubernetes", ("kube-proxy",)),)),
    static("coredns", "coredns"),
    static("local-path-provisioner", "local-path-provisioner"),
    static("metrics-server", "metrics-server"),
    static("helm", "helm"),
    Recipe("node", "node", parent="base", pushed=False, programs=(
        ("kubernetes", ("kubeadm", "kubelet", "kubectl")),
        ("containerd", ("containerd", "containerd-shim-runc-v2", "ctr")),
        ("tools", ("runc-capped",)),
    )),
    Recipe("python", "python", parent="base", pushed=False),
    Recipe("postgres", "postgres", parent="base"),
    Recipe("redis", "redis", parent="base"),
    Recipe("mongodb", "secantusdb", parent="python", files=PINS),
    Recipe("traefik", "traefik", parent="python"),
]  # fmt: skip


def sources(recipe: Recipe) -> Iterator[tuple[str, Path]]:
    """Yield `(name in the build context, file)` for all but the Go programs."""
    for path in sorted((RECIPES / recipe.directory).iterdir()):
        yield path.name, path
    for path in recipe.files:
        yield path.name, path


def content(path: Path) -> bytes:
    """Return what a file adds to the hash: of the constraints, only the one distribution's that an image installs."""
    if path.name == "constraints.txt":
        return pins.closure(path.read_text("utf-8"), {"secantusdb"}).encode()
    return path.read_bytes()


def inputs(recipe: Recipe) -> str:
    """Return 12 hex digits over what the image is made from: files, Go modules, the parent image."""
    digest = hashlib.sha256(f"{recipe.name}\n{recipe.arguments()}".encode())
    for name, path in sources(recipe):
        digest.update(f"\n{name}\n".encode() + content(path))
    for module, programs in recipe.programs:
        digest.update(f"\n{golang.inputs_hash(module)} {programs}".encode())
    for parent in recipe.arguments().values():
        digest.update(f"\n{docker.image_id(parent)}".encode())
    return digest.hexdigest()[:12]


def is_current(recipe: Recipe) -> bool:
    made = docker.made_from(recipe.reference) == inputs(recipe)
    return made and (not recipe.pushed or registry.has_current(recipe.reference))


def _place(source: Path, target: Path) -> None:
    """Link a file into the build context; copy it where the file system is another."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def assemble(recipe: Recipe, log: Log) -> None:
    """Build the image from a context of its own, and push it if nodes pull it."""
    if docker.made_from(recipe.reference) != inputs(recipe):
        context = CACHE / "contexts" / recipe.name
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir(parents=True)
        for name, path in sources(recipe):
            shutil.copy2(path, context / name)
        for module, programs in recipe.programs:
            for program in programs:
                built, _, name = program.partition(":")
                _place(golang.output(module) / built, context / (name or built))
        target = recipe.name if recipe.directory == "static" else ""
        docker.build(log, reference=recipe.reference, context=context, dockerfile=context / "Dockerfile",
                     inputs=inputs(recipe), arguments=build_arguments(recipe), target=target)  # fmt: skip
        shutil.rmtree(context)
    if recipe.pushed:
        registry.push(log, recipe.reference)


def build_arguments(recipe: Recipe) -> dict[str, str]:
    extra = {"KUBERNETES_VERSION": golang.KUBERNETES_VERSION} if recipe.name == "node" else {}
    return recipe.arguments() | extra


def build_base(log: Log) -> None:
    reference = catalogue.reference("base", Source.OFFLINE)
    if docker.made_from(reference) != debian.base_inputs():
        debian.build_base(log, reference)
    registry.push(log, reference)


def base_is_current() -> bool:
    reference = catalogue.reference("base", Source.OFFLINE)
    return docker.made_from(reference) == debian.base_inputs() and registry.has_current(reference)


def go_step(module: str) -> str:
    return f"go {module}"


def go_steps(modules: list[str]) -> Iterator[Step]:
    """Yield the builds of Go modules, in the order of the list."""
    for module in modules:

        def build(log: Log, module: str = module) -> None:
            golang.build(module, log)

        def is_built(module: str = module) -> bool:
            return golang.is_built(module)

        yield Step(go_step(module), build, is_done=is_built, lane=GO_LANE, remedy=GO_REMEDY)


def image_step(recipe: Recipe) -> Step:
    after = [go_step(module) for module, _ in recipe.programs] + ([f"image {recipe.parent}"] if recipe.parent else [])
    after.append("registry" if recipe.name != "registry" and recipe.pushed else "docker engine")

    def build(log: Log) -> None:
        assemble(recipe, log)

    def is_done() -> bool:
        return is_current(recipe)

    return Step(
        recipe.step,
        build,
        after=after,
        is_done=is_done,
        remedy="see that Debian's and Python's package registries can be reached",
    )
