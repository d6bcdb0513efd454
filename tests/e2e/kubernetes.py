"""kubectl as the cases use it: JSON in and out, and waiting with a deadline that says what it waited for."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
OPERATOR_NAMESPACE = "smartcourse-system"
NOWHERE = "registry.invalid/nothing:1"
"""An image that cannot be pulled."""


class KubectlError(AssertionError):
    """kubectl ended with an error; the message is what it printed."""


class Kubectl:
    def __init__(self, *, context: str, namespace: str) -> None:
        self.context = context
        self.namespace = namespace

    def in_namespace(self, namespace: str) -> Kubectl:
        return Kubectl(context=self.context, namespace=namespace)

    def run(self, *arguments: str, stdin: str | None = None, timeout_seconds: float = 120) -> str:
        done = subprocess.run(
            ["kubectl", "--context", self.context, "-n", self.namespace, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        if done.returncode:
            raise KubectlError(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("get", kind, name, "-o", "json"))
        return found

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        text = self.run("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text.strip() else None

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self.run("get", kind, "-l", selector, "-o", "json"))["items"]
        return items

    def apply(self, manifest: dict[str, Any]) -> None:
        self.run("apply", "-f", "-", stdin=json.dumps(manifest))

    def merge(self, kind: str, name: str, patch: dict[str, Any]) -> None:
        self.run("patch", kind, name, "--type=merge", "-p", json.dumps(patch))

    def secret(self, name: str) -> dict[str, str]:
        data = self.get("secret", name)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def query(self, name: str, sql: str) -> str:
        """Return what the embedded PostgreSQL of a SmartCourse answers its administrator, unaligned."""
        psql = "PGPASSWORD=$POSTGRES_PASSWORD exec psql -U postgres -AtX -v ON_ERROR_STOP=1 smartcourse"
        return self.run("exec", "-i", f"{name}-postgres-0", "--", "sh", "-c", psql, stdin=sql)

    def condition(self, name: str, kind: str = "Ready") -> dict[str, Any]:
        status = (self.find("smartcourse", name) or {}).get("status", {})
        return next((c for c in status.get("conditions", []) if c["type"] == kind), {})

    def wait_ready(self, name: str, timeout_seconds: float = 420) -> dict[str, Any]:
        """Wait until the SmartCourse is Ready for its newest generation and return it."""

        def ready() -> dict[str, Any] | None:
            found = self.find("smartcourse", name)
            if not found or found.get("status", {}).get("observedGeneration") != found["metadata"]["generation"]:
                return None
            return found if self.condition(name).get("status") == "True" else None

        return eventually(
            ready,
            timeout_seconds=timeout_seconds,
            what=lambda: f"SmartCourse {self.namespace}/{name} to be Ready; its condition: {self.condition(name)}",
        )


def eventually(
    probe: Callable[[], T | None], *, timeout_seconds: float, what: str | Callable[[], str], every_seconds: float = 0.5
) -> T:
    """Return what `probe` returns once it is truthy; fail with what was awaited and the last error."""
    deadline = time.monotonic() + timeout_seconds
    error: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if result := probe():
                return result
            error = None
        except Exception as caught:  # noqa: BLE001 - the system under test may be away: that is what is awaited
            error = caught
        time.sleep(every_seconds)
    awaited = what if isinstance(what, str) else what()
    raise AssertionError(f"waited {timeout_seconds:.0f} s for {awaited}" + (f"; last error: {error}" if error else ""))
