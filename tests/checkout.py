"""A copy of this repository's files, for cases that edit them or write beside them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def copy(target: Path) -> Path:
    """Copy what Git tracks, and what it would, into a new folder; return the folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, copied = ROOT / name, target / name
        if source.is_symlink() or source.exists():  # not one that is deleted and still tracked
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copied, follow_symlinks=False)
    return target
