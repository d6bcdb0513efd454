"""Make the Secrets of a SmartCourse that runs without the operator (Skaffold, Tilt, `helm install`), once.

    python -m smartcourse_dev.secrets --context kind-smartcourse --namespace smartcourse-skaffold --release academy

What exists is left alone, for databases were initialised with it; what is missing is generated as the operator does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

import yaml

from smartcourse_dev.kubectl import Kubectl
from smartcourse_dev.settings import LOGS
from smartcourse_dev.shell import Log, StepError, capture

Secret = dict[str, Any]


def generated(release: str, namespace: str) -> list[Secret]:
    """Return every Secret of a SmartCourse with fresh values; the operator knows which there are."""
    text = capture(sys.executable, "-m", "smartcourse_operator.secrets", "--name", release, "--namespace", namespace)
    items: list[Secret] = yaml.safe_load(text)["items"]
    return items


def missing(kubectl: Kubectl, namespace: str, secrets: list[Secret]) -> Iterator[Secret]:
    """Yield those that the namespace lacks.

    Raises:
        CommandError: the cluster does not answer.
    """
    found = kubectl.read("get", "secrets", "--namespace", namespace, "--output", "name").split()
    for secret in secrets:
        if f"secret/{secret['metadata']['name']}" not in found:
            yield secret


def ensure(kubectl: Kubectl, *, namespace: str, release: str, log: Log) -> list[str]:
    """Make the namespace and the Secrets that it lacks; return their names. Values never reach a log."""
    kubectl.apply(log, json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
    made = list(missing(kubectl, namespace, generated(release, namespace)))
    if made:
        manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
        kubectl.run(log, "create", "--filename", "-", text=manifest)
    return [secret["metadata"]["name"] for secret in made]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--context", required=True, help="of the kubeconfig")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--release", required=True)
    told = parser.parse_args()
    try:
        made = ensure(Kubectl(told.context), namespace=told.namespace, release=told.release,
                      log=Log(LOGS / "secrets.log"))  # fmt: skip
    except StepError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"{told.namespace}: {', '.join(made) or 'every Secret exists'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
