"""The executable `kubectl_complete-smartcourse`, which kubectl's own completion asks.

It prints a proposal a line, and in the end how they are to be taken.
"""

from __future__ import annotations

import sys

from click.shell_completion import ShellComplete

from smartcourse_kubectl.cli import PROGRAM, cli

NO_FILES = 4
"""Cobra's directive: don't propose file names."""


def proposals(words: list[str]) -> list[str]:
    """Return what may stand in place of the last of `words`, each with its help after a tab."""
    *before, incomplete = words or [""]
    found = ShellComplete(cli, {}, PROGRAM, "_SMARTCOURSE_COMPLETE").get_completions(before, incomplete)
    return [item.value + (f"\t{item.help}" if item.help else "") for item in found if item.type == "plain"]


def main() -> None:
    sys.stdout.write("\n".join([*proposals(sys.argv[1:]), f":{NO_FILES}", ""]))


if __name__ == "__main__":
    main()
