"""What test cases and benchmarks run on this machine itself: servers from Debian, programs from Go modules."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from smartcourse_dev import assembly, debian, golang
from smartcourse_dev.shell import Log
from smartcourse_dev.steps import Step

MODULES = ["kubernetes", "etcd", "helm"]
PACKAGES = {
    "postgresql-15": "/usr/lib/postgresql/15/bin/postgres",
    "redis-server": "redis-server",
    "nginx-light": "nginx",
    "wrk": "wrk",
}


def missing_packages() -> list[str]:
    return [package for package, program in PACKAGES.items() if not shutil.which(program)]


def install_missing(log: Log) -> None:
    debian.install_packages(log, missing_packages())


def steps() -> Iterator[Step]:
    """Yield what makes the programs ready that are not."""
    yield Step("servers", install_missing, is_done=lambda: not missing_packages())
    yield from assembly.go_steps(MODULES)


def environment() -> dict[str, str]:
    """Return where the Go programs are, as the environment variables that cases and benchmarks read."""
    kubernetes, etcd, helm = map(golang.output, MODULES)
    return {"KUBE_APISERVER": f"{kubernetes}/kube-apiserver", "ETCD": f"{etcd}/server", "HELM": f"{helm}/helm"}
