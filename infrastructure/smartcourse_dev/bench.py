"""`make bench`: every benchmark in tests/load, then one table of ours beside the rivals'; needs what `make up` made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from smartcourse_dev import programs
from smartcourse_dev.cli import run_steps

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "bench"
BENCHMARKS = ["gateway", "reading", "login", "enrolling", "install"]


def table() -> Table:
    shown = Table("benchmark", "ours", "rival", "rival's name", "unit", "ratio", "goal", title="ours / rival, one run")
    for name in BENCHMARKS:
        for row in json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")):
            figures = (
                f"{row['ours']:.1f}",
                f"{row['rival']:.1f}",
                row["rival_name"],
                row["unit"],
                f"{row['ratio']:.2f}",
            )
            shown.add_row(row["name"], *figures, str(row["goal"]))
    return shown


def main() -> int:
    if not run_steps(Console(), programs.steps()):
        return 1
    environment = os.environ | programs.environment()
    for name in BENCHMARKS:
        done = subprocess.run([sys.executable, "-m", f"tests.load.{name}"], cwd=ROOT, env=environment, check=False)
        if done.returncode:
            print(f"benchmark {name} failed (exit {done.returncode})", file=sys.stderr)
            return done.returncode
    Console().print(table())
    return 0
