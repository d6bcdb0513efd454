"""What people notice while the running sample is changed: how many of their requests fail, how long they take."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from tests.e2e.kubernetes import Kubectl
from tests.e2e.people import Platform
from tests.e2e.releases import Release, ask_for, known, today, until_runs
from tests.e2e.rotations import LAST, rotate
from tests.load.harness import figure, row
from tests.load.traffic import RATE, Seen, traffic

NAME = "academy"
Change = Callable[[Kubectl], None]
BEFORE, AFTER = "1.0.0", Release("1.1.0", "1.0.0", (), {"expand": today()})
"""The second has nothing new but its number: its images are others to Kubernetes, so all of its pods are replaced."""


def run(kubectl: Kubectl, *, version: str) -> None:
    ask_for(kubectl, NAME, version)
    until_runs(kubectl, NAME, version)


CHANGES: dict[str, Change] = {
    **{f"rotation ({what})": partial(rotate, name=NAME, what=what, request=secrets.token_hex(4)) for what in LAST},
    "upgrade": partial(run, version=AFTER.version),
    "way back": partial(run, version=BEFORE),
}
"""What is done, one after the other; each returns when it is done and all is Ready."""


def rows(kubectl: Kubectl, url: str, *, idle_seconds: float) -> list[dict[str, Any]]:
    """See what is answered while nothing happens and during each change; return how they compare."""
    kubectl.wait_ready(NAME)
    with httpx.Client(base_url=url, timeout=30) as client:
        platform = Platform(client, admin=kubectl.secret(f"{NAME}-admin"))
        seen: dict[str, Seen] = {}
        with known(kubectl, [AFTER]), traffic(platform, url) as sending:
            time.sleep(idle_seconds / 3)  # the first requests warm up what they meet
            with sending.seeing() as idle:
                time.sleep(idle_seconds)
            for name, change in CHANGES.items():
                print(f"{name} under {RATE} requests a second", flush=True)
                with sending.seeing() as seen[name]:
                    change(kubectl)
    ask_for(kubectl, NAME, None)
    found: list[dict[str, Any]] = []
    for name, during in {"idle": idle, **seen}.items():
        told = f"{name}: {during.failed} of {len(during.milliseconds)} failed, p99 {during.p99:.0f} ms"
        print(told, *during.failures.items(), flush=True)
    for name, during in seen.items():
        found += [
            figure(f"{name}: failed of {len(during.milliseconds)}", ours=during.failed, unit="requests", goal="0"),
            row(f"{name}: p99", ours=during.p99, rival=idle.p99, rival_name="idle", unit="ms",
                ratio=during.p99 / idle.p99, goal="-"),
        ]  # fmt: skip
    return found
