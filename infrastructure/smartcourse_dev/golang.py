"""Go programs from `infrastructure/offline/go`: one module a group, since their dependencies clash in one."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

from smartcourse_dev.settings import CACHE, OFFLINE
from smartcourse_dev.shell import Log, StepError

MODULES = OFFLINE / "go"
KUBERNETES_VERSION = "v1.36.3"
GO_PLACES = (Path("/usr/local/go/bin"), Path("/usr/lib/go/bin"))
COMPOSE = "github.com/docker/compose/v2"
SKAFFOLD = "github.com/GoogleContainerTools/skaffold/v2"
PACKAGES = {"tools": "./..."}  # our own programs; every other module names its programs by `tool` lines


def _version_flags() -> str:
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    return f"-X {package}.gitVersion={KUBERNETES_VERSION} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"


def linker_flags(module: str) -> str:
    if module == "kubernetes":
        return f"-s -w {_version_flags()}"
    if module == "compose":
        return f"-s -w -X {COMPOSE}/internal.Version={version(module, COMPOSE)}"
    if module == "skaffold":
        return f"-s -w -X {SKAFFOLD}/pkg/skaffold/version.version={version(module, SKAFFOLD)}"
    return "-s -w"


def inputs_hash(module: str) -> str:
    """Return 12 hex digits over what decides the module's programs: requirements, sums, own sources, flags."""
    digest = hashlib.sha256(f"{PACKAGES.get(module, 'tool')}\n{linker_flags(module)}".encode())
    for path in sorted((MODULES / module).rglob("*")):
        if path.is_file() and not path.name.endswith("_test.go"):
            digest.update(f"\n{path.relative_to(MODULES / module)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def version(module: str, requirement: str) -> str:
    """Return the version of `requirement` that the module's go.mod pins."""
    text = (MODULES / module / "go.mod").read_text("utf-8")
    found = re.search(rf"^\s*(?:require )?{re.escape(requirement)} (v\S+)", text, re.MULTILINE)
    if not found:
        raise StepError(f"{MODULES / module / 'go.mod'} requires no {requirement}")
    return found[1]


def output(module: str) -> Path:
    """Return the directory that holds the module's programs once they are built."""
    return CACHE / "go" / f"{module}-{inputs_hash(module)}"


def is_built(module: str) -> bool:
    return output(module).is_dir()


def go() -> str:
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, GO_PLACES)])
    found = shutil.which("go", path=path)
    if not found:
        raise StepError("Go is not installed", remedy="install Go 1.26 or newer and put `go` on PATH")
    return found


def build(module: str, log: Log) -> None:
    """Build the module's programs; they appear in `output(module)` all at once or not at all."""
    partial = output(module).with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    log.run(
        go(), "build", "-trimpath", "-buildvcs=false", "-ldflags", linker_flags(module), "-o", f"{partial}/",
        PACKAGES.get(module, "tool"), cwd=MODULES / module, env={"CGO_ENABLED": "0"},
    )  # fmt: skip
    partial.rename(output(module))


def directory() -> Path:
    """Return where programs are put so that PATH finds them."""
    shared = Path("/usr/local/bin")
    if os.access(shared, os.W_OK):
        return shared
    own = Path.home() / ".local" / "bin"
    own.mkdir(parents=True, exist_ok=True)
    return own


def install(module: str, program: str) -> None:
    """Put a program where PATH finds it, unless one of that name is there already."""
    if shutil.which(program):
        return
    target = directory() / program
    partial = target.with_name(f".{program}.partial")
    shutil.copy2(output(module) / program, partial)
    partial.replace(target)
