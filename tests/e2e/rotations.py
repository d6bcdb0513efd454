"""Asking for the rotation of a secret, and seeing that it is done."""

from __future__ import annotations

from .kubernetes import Kubectl, eventually

LAST = {**dict.fromkeys(("identity", "database", "mongodb", "redis"), "completed"), "jwt": "retained"}
"""What can be rotated, and the phase that it is left in: old tokens are good until they expire."""


def rotate(kubectl: Kubectl, name: str, what: str, *, request: str) -> None:
    """Have a SmartCourse's secret be replaced and wait until it is, and all is Ready.

    `request` is any text; one that was done already is not done again.
    """

    def rotated() -> bool:
        found = kubectl.get("smartcourse", name)["status"].get("rotations", [])
        return any(r["secret"] == what and r.get("request") == request and r["phase"] == LAST[what] for r in found)

    kubectl.run("annotate", "smartcourse", name, f"smartcourse.io/rotate-{what}={request}", "--overwrite")
    eventually(rotated, timeout_seconds=600, what=f"{what} to be rotated")
    kubectl.wait_ready(name)
