"""What the charts' tests need: helm, its renderings, and servers for what the charts run."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest_plugins = ["shared.testing.servers"]

Document = dict[str, Any]
CHARTS = Path(__file__).resolve().parents[1]
UMBRELLA = CHARTS / "smartcourse"
CASES = sorted(path.name.removesuffix("-values.yaml") for path in (UMBRELLA / "ci").glob("*-values.yaml"))


@pytest.fixture(scope="session")
def charts() -> Path:
    """The directory of all charts."""
    return CHARTS


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run helm with arguments; its output and exit status are returned."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "smartcourse"
    built = sorted(cache.glob("go/helm-*/helm"), key=lambda path: path.stat().st_mtime)
    program = os.environ.get("HELM") or shutil.which("helm") or (built[-1] if built else None)
    if not program:
        pytest.fail("helm is not on PATH and HELM names none: `make test` builds it, or install Helm 3.17 or newer")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture(scope="session")
def render(helm: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., list[Document]]:
    """Render the umbrella with the values file of a case and further `--set` arguments; returns the objects."""

    @functools.cache
    def rendered(case: str, sets: tuple[str, ...], release: str) -> str:
        values = UMBRELLA / "ci" / f"{case}-values.yaml"
        arguments = [argument for each in sets for argument in ("--set", each)]
        done = helm("template", release, str(UMBRELLA), "--namespace", "smartcourse", "-f", str(values), *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(case: str = "minimal", *sets: str, release: str = "academy") -> list[Document]:
        return [document for document in yaml.safe_load_all(rendered(case, sets, release)) if document]

    return objects


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    """Each values file in turn."""
    name: str = request.param
    return name


@pytest.fixture
def objects(render: Callable[..., list[Document]], case: str) -> list[Document]:
    """The objects of each values file in turn."""
    return render(case)


@pytest.fixture
def pods(objects: list[Document]) -> dict[str, Document]:
    """The pod specs of each values file in turn, by kind and name of what makes them."""
    return {
        f"{each['kind']} {each['metadata']['name']}": each["spec"]["template"]["spec"]
        for each in objects
        if "template" in each.get("spec", {})
    }


@pytest.fixture
def containers(pods: dict[str, Document]) -> dict[str, Document]:
    """All containers, init containers included, by where they are."""
    return {
        f"{where} {container['name']}": container
        for where, pod in pods.items()
        for container in [*pod.get("initContainers", []), *pod["containers"]]
    }
