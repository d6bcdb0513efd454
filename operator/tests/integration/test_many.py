"""A hundred hibernated SmartCourses beside 600 large Secrets of others, with the operator as a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from shared.testing.controlplane import running
from shared.testing.crowd import Settled, Unchanged, crowd

from .conftest import ROOT, install

FEW, MANY = 10, 100
GROWTH = 1.5


@dataclass(frozen=True)
class Seen:
    """What a crowd of one size cost."""

    settled: Settled
    unchanged: Unchanged
    secrets_listed: list[str]


def see(number: int) -> Seen:
    with running() as plane:
        install(plane)
        with crowd(plane, ROOT, number) as found:
            settled, unchanged = found.settle(), found.look_again()
            requests = plane.operator_requests({"list", "watch"})
    return Seen(settled, unchanged, [one for one in requests if "/secrets" in one])


@pytest.fixture(scope="module")
def few() -> Seen:
    return see(FEW)


@pytest.fixture(scope="module")
def many() -> Seen:
    return see(MANY)


def limit_mib() -> int:
    values = yaml.safe_load(Path(ROOT, "charts", "smartcourse-operator", "values.yaml").read_text(encoding="utf-8"))
    limit: str = values["resources"]["limits"]["memory"]
    assert limit.endswith("Mi")
    return int(limit.removesuffix("Mi"))


@pytest.mark.timeout(3600)
def test_a_hundred_are_hibernated_within_the_memory_of_the_operators_pod(many: Seen) -> None:
    """Helm's included, which it runs; that all are hibernated is waited for."""
    assert many.settled.peak_mib < limit_mib()
    assert many.secrets_listed == []


@pytest.mark.timeout(3600)
def test_requests_for_each_do_not_grow_with_how_many_there_are(few: Seen, many: Seen) -> None:
    assert many.settled.requests / MANY <= GROWTH * few.settled.requests / FEW
    assert many.unchanged.reads / many.unchanged.reconciles <= GROWTH * few.unchanged.reads / few.unchanged.reconciles
    assert many.unchanged.writes == few.unchanged.writes == 0
    assert many.unchanged.renders == 0, "a rendering is kept for each"
