"""kubectl and helm against one cluster's context."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from smartcourse_dev import golang
from smartcourse_dev.shell import CommandError, Log, StepError, capture


def kubectl_program() -> str:
    return shutil.which("kubectl") or str(golang.output("kubernetes") / "kubectl")


@dataclass(frozen=True)
class Kubectl:
    """kubectl with its context given each time, so that whatever context is current stays out of it."""

    context: str

    def command(self, *arguments: str) -> tuple[str, ...]:
        return (kubectl_program(), "--context", self.context, *arguments)

    def read(self, *arguments: str, timeout_seconds: float = 30) -> str:
        return capture(*self.command(*arguments), timeout_seconds=timeout_seconds)

    def find(self, *arguments: str) -> dict[str, Any] | None:
        """Return `kubectl get ... -o json`, None when there is no such object or no answer."""
        try:
            found = json.loads(self.read("get", *arguments, "--output", "json"))
        except CommandError:
            return None
        return found if isinstance(found, dict) else None

    def raw(self, path: str) -> dict[str, Any] | None:
        """Return what the API answers to a bare GET, None when it has no such path."""
        try:
            found = json.loads(self.read("get", "--raw", path))
        except CommandError:
            return None
        return found if isinstance(found, dict) else None

    def answers(self) -> bool:
        """Whether the API server says it is ready."""
        try:
            return self.read("get", "--raw", "/readyz", timeout_seconds=5).strip() == "ok"
        except CommandError:
            return False

    def run(self, log: Log, *arguments: str, text: str = "") -> None:
        log.run(*self.command(*arguments), text=text)

    @contextmanager
    def explaining(self, log: Log, namespace: str, deployment: str) -> Iterator[None]:
        """Leave a namespace's pods, events and a Deployment's last words in the log when what is done here fails."""
        try:
            yield
        except StepError:
            self.explain(log, namespace, deployment)
            raise

    def explain(self, log: Log, namespace: str, deployment: str) -> None:
        place = ("--namespace", namespace)
        for question in (
            ("get", "pods,jobs", *place, "--output", "wide"),
            ("get", "events", *place, "--sort-by=.lastTimestamp"),
            ("logs", *place, f"deployment/{deployment}", "--all-containers", "--tail=30"),
        ):
            log.write(f"$ kubectl {' '.join(question)}")
            try:
                log.write(self.read(*question))
            except CommandError as error:  # it is a help: what failed is told whether it can be had or not
                log.write(str(error))

    def apply(self, log: Log, manifest: str) -> None:
        self.run(log, "apply", "--server-side", "--force-conflicts", "--filename", "-", text=manifest)
