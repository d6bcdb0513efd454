"""Print the Secrets of a SmartCourse for use without the operator (`helm install`, Skaffold, Tilt).

    python -m smartcourse_operator.secrets --name academy --namespace smartcourse | kubectl create -f -

Each call makes new values: create with them once, and do not apply them over Secrets in use.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import yaml

from smartcourse_operator.core import credentials, names
from smartcourse_operator.core.spec import SmartCourseSpec


def manifest(name: str, namespace: str, suffix: str, contents: credentials.Contents) -> dict[str, Any]:
    """Return a Secret as the API takes it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"{name}-{suffix}",
            "namespace": namespace,
            "labels": names.secret_labels(name, suffix),
        },
        "type": "Opaque",
        "stringData": dict(sorted(contents.items())),
    }


def manifests(name: str, namespace: str) -> dict[str, Any]:
    """Return a List of freshly generated Secrets for a SmartCourse with databases of its own."""
    plan = credentials.plan(name, SmartCourseSpec(), postgres_admin_url=None, mongodb_admin_url=None)
    items = [
        manifest(name, namespace, suffix, secret.complete({}, credentials.generate))
        for suffix, secret in sorted(plan.items())
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--name", required=True, help="the release's or SmartCourse's name")
    parser.add_argument("--namespace", required=True)
    arguments = parser.parse_args()
    yaml.safe_dump(manifests(arguments.name, arguments.namespace), sys.stdout, sort_keys=False)


if __name__ == "__main__":
    main()
