"""The definition of ServiceMonitor that tests install, as the Prometheus Operator publishes it in its Go module."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from smartcourse_dev import assembly, golang
from smartcourse_dev.settings import CACHE
from smartcourse_dev.shell import Log, capture
from smartcourse_dev.steps import Step

MODULE = "prometheus-operator"
REQUIREMENT = "github.com/prometheus-operator/prometheus-operator"
FILE = "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"


def service_monitor() -> Path:
    """Return where the definition is once it has been fetched."""
    return CACHE / "definitions" / f"servicemonitors-{golang.version(MODULE, REQUIREMENT)}.yaml"


def fetch(log: Log) -> None:
    """Take the definition out of the module; Go checks what it downloads against go.sum."""
    directory = str(golang.MODULES / MODULE)
    module = json.loads(capture(golang.go(), "-C", directory, "mod", "download", "-json", REQUIREMENT))
    log.write(f"{module['Path']} {module['Version']}: {FILE}")
    partial = service_monitor().with_suffix(".partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(module["Dir"]) / FILE, partial)
    partial.replace(service_monitor())


def steps() -> Iterator[Step]:
    yield Step("definition of ServiceMonitor", fetch, is_done=lambda: service_monitor().is_file(),
               remedy=assembly.GO_REMEDY)  # fmt: skip
