"""What a crowd of hibernated SmartCourses costs: time until all are settled, the operator's memory, its requests.

A kube-apiserver and an etcd of its own for each size, with 600 large Secrets of others, and the operator as a process
with the permissions that it has in a cluster. What is asked is read from the API server's audit log.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from shared.testing.controlplane import ControlPlane, running
from shared.testing.crowd import Settled, Unchanged, crowd
from tests.load.harness import ROOT, figure, row

SIZES = (1, 10, 100)
GOAL_MIB = 150
GROWTH = 1.5


def install(plane: ControlPlane) -> None:
    manifests = ROOT / "manifests"
    definitions = [yaml.safe_load(path.read_text("utf-8")) for path in sorted((manifests / "crd").glob("*.yaml"))]
    permissions = yaml.safe_load((manifests / "rbac" / "operator.yaml").read_text("utf-8"))
    plane.install_operator(definitions, permissions["items"])


def measure(number: int) -> tuple[Settled, Unchanged]:
    with running() as plane:
        install(plane)
        with crowd(plane, ROOT, number, tell=lambda text: print(f"  {text}", flush=True)) as found:
            settled, unchanged = found.settle(), found.look_again()
    print(
        f"{number} hibernated: settled in {settled.seconds:.1f} s, {settled.requests / number:.0f} requests each; "
        f"{settled.memory_mib:.0f} MiB, at most {settled.peak_mib:.0f} with Helm; looked at again: "
        f"{unchanged.writes} writes, {unchanged.reads / unchanged.reconciles:.0f} reads each, "
        f"{1000 * unchanged.seconds / unchanged.reconciles:.0f} ms each",
        flush=True,
    )
    return settled, unchanged


def rows() -> list[dict[str, Any]]:
    measured = {number: measure(number) for number in SIZES}
    return [*unchanged_rows(measured[1][1]), *crowd_rows({n: settled for n, (settled, _) in measured.items()})]


def unchanged_rows(alone: Unchanged) -> Iterator[dict[str, Any]]:
    """Yield what a reconcile costs that has nothing to do, of the only SmartCourse that there is."""
    name = "reconcile that changes nothing"
    yield figure(f"{name}: writes", ours=alone.writes, unit="requests", goal="0")
    yield figure(f"{name}: reads", ours=alone.reads / alone.reconciles, unit="requests", goal="-")
    yield figure(f"{name}: time", ours=1000 * alone.seconds / alone.reconciles, unit="ms", goal="-")


def crowd_rows(measured: dict[int, Settled]) -> Iterator[dict[str, Any]]:
    """Yield what crowds took, the time and the requests beside what one alone takes."""
    one = measured[1]
    for number, settled in measured.items():
        what = f"{number} hibernated"
        yield row(f"{what}: settled", ours=settled.seconds, rival=number * one.seconds, rival_name="one, so many times",
                  unit="s", ratio=settled.seconds / (number * one.seconds), goal="-")  # fmt: skip
        each = settled.requests / number
        yield row(f"{what}: requests for each", ours=each, rival=one.requests, rival_name="of one alone",
                  unit="requests", ratio=each / one.requests, goal=f"<= {GROWTH}")  # fmt: skip
        goal = f"<= {GOAL_MIB} MiB" if number == SIZES[-1] else "-"
        yield figure(f"{what}: the operator's memory", ours=settled.memory_mib, unit="MiB", goal=goal)
