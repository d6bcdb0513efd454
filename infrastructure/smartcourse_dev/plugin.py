"""`kubectl smartcourse` on PATH: links to the checkout's own environment, so that an edit is what runs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from smartcourse_dev import golang
from smartcourse_dev.settings import CACHE
from smartcourse_dev.shell import Log

PROGRAMS = ("kubectl-smartcourse", "kubectl_complete-smartcourse")
"""The plugin, and what kubectl's completion asks about it."""


def target_of(program: str) -> Path:
    return Path(sys.executable).parent / program


def is_ours(link: Path) -> bool:
    """Whether it is a link that a checkout's `make up` made, of an environment that may be gone."""
    return link.is_symlink() and link.readlink().is_relative_to(CACHE)


def is_in_place(program: str) -> bool:
    """Whether the program is found and runs this checkout, or is somebody's own installation."""
    found = shutil.which(program)
    return bool(found) and (not is_ours(Path(str(found))) or Path(str(found)).readlink() == target_of(program))


def is_installed() -> bool:
    return all(map(is_in_place, PROGRAMS))


def install(log: Log) -> None:
    """Link the programs where PATH finds them; those that somebody installed otherwise are left alone."""
    for program in PROGRAMS:
        if is_in_place(program):
            continue
        link = golang.directory() / program
        partial = link.with_name(f".{program}.partial")
        partial.unlink(missing_ok=True)
        partial.symlink_to(target_of(program))
        partial.replace(link)
        log.tell(f"{link} runs this checkout")
