"""Resource definitions of others, as they publish them in their Go modules: tests and the cluster install them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from smartcourse_dev import assembly, golang
from smartcourse_dev.settings import CACHE
from smartcourse_dev.shell import Log, capture
from smartcourse_dev.steps import Step


@dataclass(frozen=True)
class Definitions:
    """A file in a Go module that a module of `infrastructure/offline/go` requires."""

    name: str
    module: str
    requirement: str
    file: str

    @property
    def path(self) -> Path:
        """Where the file is once it has been fetched."""
        return CACHE / "definitions" / f"{self.module}-{golang.version(self.module, self.requirement)}.yaml"

    @property
    def step(self) -> str:
        return f"definitions of {self.name}"


SERVICE_MONITOR = Definitions(
    "ServiceMonitor",
    "prometheus-operator",
    "github.com/prometheus-operator/prometheus-operator",
    "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
)
TRAEFIK = Definitions(
    "Traefik",
    "traefik",
    "github.com/traefik/traefik/v3",
    "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
)


def fetch(definitions: Definitions, log: Log) -> None:
    """Take the file out of the module; Go checks what it downloads against go.sum."""
    directory = str(golang.MODULES / definitions.module)
    module = json.loads(capture(golang.go(), "-C", directory, "mod", "download", "-json", definitions.requirement))
    log.write(f"{module['Path']} {module['Version']}: {definitions.file}")
    draft = definitions.path.with_suffix(".partial")
    draft.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(module["Dir"]) / definitions.file, draft)
    draft.replace(definitions.path)


def steps(*wanted: Definitions) -> Iterator[Step]:
    for each in wanted:
        yield Step(each.step, partial(fetch, each), is_done=each.path.is_file, remedy=assembly.GO_REMEDY)
