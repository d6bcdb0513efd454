"""The executable `kubectl-smartcourse`."""

from __future__ import annotations

import sys

from smartcourse_kubectl.cli import run


def main() -> None:
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
