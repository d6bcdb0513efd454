"""`make skaffold`: Skaffold, and the Helm 3 that it drives, where they are not installed.

Everything else here uses Helm 4, whose `--post-renderer` takes a plugin's name; Skaffold 2.16 gives it a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from smartcourse_dev import assembly, golang
from smartcourse_dev.cli import console, run_steps
from smartcourse_dev.steps import Step

MODULE = "skaffold"


def directory() -> Path:
    """Return the directory that holds both programs once they are built; it is to come first on PATH."""
    return golang.output(MODULE)


def steps() -> Iterator[Step]:
    yield from assembly.go_steps([MODULE])


def main() -> int:
    shown = console()
    if not run_steps(shown, steps()):
        return 1
    shown.print(f'export PATH="{directory()}:$PATH"', highlight=False, soft_wrap=True)
    return 0
