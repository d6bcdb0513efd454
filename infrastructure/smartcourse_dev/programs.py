"""What test cases and benchmarks run on this machine itself: servers from Debian, programs from Go modules."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

from smartcourse_dev import assembly, compose, debian, definitions, golang
from smartcourse_dev.shell import Log
from smartcourse_dev.steps import Step

MODULES = ["kubernetes", "etcd", "helm", "versitygw"]
PACKAGES = {
    "postgresql-15": "/usr/lib/postgresql/15/bin/postgres",
    "redis-server": "redis-server",
    "restic": "restic",
    "nginx-light": "nginx",
    "curl": "curl",
    "openssl": "openssl",
    "wrk": "wrk",
    "maven": "mvn",
    "openjdk-17-jre-headless": "java",
}

LIBRARIES = {
    "libpango-1.0-0": "pango-1.0",
    "libpangoft2-1.0-0": "pangoft2-1.0",
    "libharfbuzz-subset0": "harfbuzz-subset",
    "libmagic1": "magic",
}
FONTS = {
    "fonts-noto-core": "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "fonts-noto-cjk": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
}


def missing_packages() -> list[str]:
    programs = [package for package, program in PACKAGES.items() if not shutil.which(program)]
    libraries = [package for package, library in LIBRARIES.items() if not find_library(library)]
    return programs + libraries + [package for package, font in FONTS.items() if not Path(font).exists()]


def install_missing(log: Log) -> None:
    debian.install_packages(log, missing_packages())


def fetch_kafka(log: Log) -> None:
    """Have Maven fetch Kafka's jars, unless they are there."""
    log.run(sys.executable, "-m", "shared.testing.kafka")


def steps() -> Iterator[Step]:
    """Yield what makes the programs ready that are not."""
    yield Step("servers", install_missing, is_done=lambda: not missing_packages())
    yield Step("kafka", fetch_kafka, after=["servers"])
    yield from assembly.go_steps(MODULES)
    yield compose.go_step()
    yield from definitions.steps(definitions.SERVICE_MONITOR, definitions.TRAEFIK)


def environment() -> dict[str, str]:
    """Return where the Go programs are, as the environment variables that cases and benchmarks read."""
    kubernetes, etcd, helm, versitygw = map(golang.output, MODULES)
    return {"KUBE_APISERVER": f"{kubernetes}/kube-apiserver",
            "KUBE_CONTROLLER_MANAGER": f"{kubernetes}/kube-controller-manager",
            "ETCD": f"{etcd}/server", "HELM": f"{helm}/helm", "VERSITYGW": f"{versitygw}/versitygw",
            "SERVICE_MONITOR_CRD": str(definitions.SERVICE_MONITOR.path),
            "TRAEFIK_CRDS": str(definitions.TRAEFIK.path)}  # fmt: skip
