"""The operator: installing beside Helm, reconciles that change nothing, crowds, and changes under people's requests.

The crowds have a control plane of their own; the rest needs the running cluster of `make up`, which CLUSTER and
HTTP_PORT name. What is done is written after each part, to build/bench/operator.json.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from tests.e2e.kubernetes import Kubectl
from tests.load import changing, crowds, installing
from tests.load.harness import SECONDS, write

ROUNDS = int(os.environ.get("ROUNDS", "2"))
IDLE_SECONDS = 10 * SECONDS
CONTEXT = f"kind-{os.environ.get('CLUSTER') or 'smartcourse'}"
URL = f"http://localhost:{os.environ.get('HTTP_PORT') or '8080'}"

Part = Callable[[], list[dict[str, Any]]]


def measured(parts: Iterable[tuple[str, Part]]) -> None:
    """Measure part after part; those that were done are kept when one fails."""
    rows: list[dict[str, Any]] = []
    for name, part in parts:
        print(f"== {name}", flush=True)
        rows += part()
        write("operator", rows)


def main() -> None:
    sample = Kubectl(context=CONTEXT, namespace="smartcourse")
    sample.get("smartcourse", changing.NAME)  # where there is no cluster it is told at once
    sample.wait_ready(changing.NAME)
    measured(
        (
            ("apply to served, beside Helm", partial(installing.rows, sample, URL, rounds=ROUNDS)),
            ("reconciles that change nothing, and crowds", crowds.rows),
            ("changes under requests", partial(changing.rows, sample, URL, idle_seconds=IDLE_SECONDS)),
        )
    )


if __name__ == "__main__":
    main()
